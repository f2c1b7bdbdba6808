package postgres

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/go-logr/logr"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// manner is how connections are made and used.
type manner int32

const (
	// direct connections are sessions of the database: they have parameters, and statements with names.
	direct manner = iota
	// shared ones lead to a pooler, which may hand each transaction, and each statement outside of one, to another session. So nothing is
	// kept in a session: statements have no names, and settings go with each transaction.
	shared
	// plain ones are shared, and do not send "options" either: some poolers need those, others refuse them.
	plain
)

// pooler is what a server knows of the way to its database. Poolers do not say that they are there, so it is found out, see learn.
type pooler struct {
	log  logr.Logger
	seen atomic.Int32 // a manner
}

func (p *pooler) manner() manner { return manner(p.seen.Load()) }

// forget has the next connection find out anew.
func (p *pooler) forget() { p.seen.Store(int32(direct)) }

// errPooled is what becomes of a connection that was made as a direct one, and leads to a pooler.
var errPooled = &engineError{unavailable, "a pooler is between the server and its database, and the connection was not made for that"}

// learn looks whether an error says that there is a pooler, or what it refuses. It tells whether something is known by now that was not when
// the connection was made: then it is to be tried again.
func (p *pooler) learn(err error, made manner) (again bool) {
	now, because := direct, ""
	answer, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case errors.Is(err, errPooled):
		now, because = shared, "its session is not the one that the connection began with"
	case failed(err, nameless):
		now, because = shared, "prepared statements do not stay with the connection"
	case answered && refusesParameter(answer):
		if now = shared; made != direct && strings.Contains(answer.Message, "options") {
			now = plain
		}
		because = "it refuses a parameter of the connection"
	}
	for {
		before := p.manner()
		if now <= before {
			return now != direct && made < before
		}
		if p.seen.CompareAndSwap(int32(before), int32(now)) {
			if before == direct {
				p.log.Info("a pooler is between this server and its database; statements are sent without names, and time limits with each transaction",
					"seen", because)
			}
			return true
		}
	}
}

// refusesParameter tells whether a connection was refused because of a parameter that PostgreSQL takes.
func refusesParameter(answer *pgconn.PgError) bool {
	return (answer.Code == "08P01" || answer.Code == "0A000") &&
		(strings.Contains(answer.Message, "startup parameter") || strings.Contains(answer.Message, "options"))
}

// carried are the settings of transactions on a pooled connection.
type carried struct {
	settings string // a JSON object
	durable  string // synchronous_commit, if it is one of them
}

const (
	// carry has the settings for the rest of the transaction.
	carry = "SELECT set_config(key, value, true) FROM json_each_text($1::text::json)"
	// carryDurable also has commits wait for the disk where they would not; another client may have left a session like that.
	carryDurable = carry + " UNION ALL SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)

func (c *carried) statement() (sql string, settings string) {
	if c.durable == "" {
		return carryDurable, c.settings
	}
	return carry, c.settings
}

// passed tells whether a parameter is one that poolers follow for each client.
func passed(name string) bool {
	switch strings.ToLower(name) {
	case "application_name", "client_encoding", "datestyle", "timezone", "standard_conforming_strings", "options":
		return true
	}
	return false
}

// option is one setting in the parameter "options", which has the form of a command line.
const option = `(?:-c *|--)([A-Za-z][\w.-]*)=(\S*)`

// pool makes a connection one that leads to a pooler: it takes the parameters away that a pooler loses or refuses, and returns them.
func (m manner) pool(config *pgx.ConnConfig, named bool) *carried {
	if !named {
		config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	settings := map[string]string{}
	for name, value := range config.RuntimeParams {
		switch {
		case m == plain && name == "options":
			delete(config.RuntimeParams, name)
			for _, set := range regexp.MustCompile(option).FindAllStringSubmatch(value, -1) {
				settings[strings.ReplaceAll(set[1], "-", "_")] = set[2]
			}
		case !passed(name):
			delete(config.RuntimeParams, name)
			settings[strings.Replace(name, "default_transaction_read_only", "transaction_read_only", 1)] = value // too late for a default
		}
	}
	text, _ := json.Marshal(settings) // strings have no errors
	return &carried{string(text), settings["synchronous_commit"]}
}

// carriedKey is under which name a pooled connection keeps what it carries.
const carriedKey = "tenantry settings"

func carriedBy(connection *pgconn.PgConn) *carried {
	c, _ := connection.CustomData()[carriedKey].(*carried)
	return c
}
