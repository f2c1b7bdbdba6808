package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// connectTimeout is how long one host may take to take a connection, unless the URL has another connect_timeout.
	connectTimeout = 5 * time.Second
	// statementTimeout is how long one statement may take, at both ends. A transaction that waits longer for its next one,
	// because the server that asked has vanished, is ended by the database and its locks with it.
	statementTimeout = 30 * time.Second
	// defaultConnections is how many connections a replica has at most, unless the URL has another pool_max_conns.
	// A database server takes 100 as it comes.
	defaultConnections = 10
	// leastConnections leaves one for each: an update, a reader within it or a look-up, a scan, and a check.
	leastConnections = 4
	// idleTime is after how long without use a connection is closed. At rest a server has the one of its background work.
	idleTime = time.Minute
	lifetime = time.Hour
)

// timeLimits are the parameters that end what takes longer than statementTimeout.
func timeLimits() [2]string {
	return [2]string{"statement_timeout", "idle_in_transaction_session_timeout"}
}

// CheckURL returns an error, which does not repeat it, where a connection URL cannot be read. The database is not asked.
func CheckURL(url string) error {
	_, _, err := Options{URL: func() (string, error) { return url, nil }}.parse(direct)
	return err
}

// parse reads the connection URL, and returns an error that names its cause where that cannot be used. The schema is the directory's.
func (o Options) parse(m manner) (config *pgxpool.Config, schema string, err error) {
	config, schema, err = o.read(m)
	if err != nil {
		return nil, "", &engineError{misread, err.Error()}
	}
	return config, schema, nil
}

// read reads the connection URL and settles what it leaves open.
func (o Options) read(m manner) (config *pgxpool.Config, schema string, err error) {
	text, err := o.URL()
	if err != nil {
		return nil, "", fmt.Errorf("read the connection URL: %w", err)
	}
	text = strings.TrimSpace(text)
	if err := checkKind(text); err != nil {
		return nil, "", err
	}
	config, err = pgxpool.ParseConfig(text)
	if err != nil {
		return nil, "", unreadable(err)
	}
	if err := checkHosts(text, &config.ConnConfig.Config); err != nil {
		return nil, "", err
	}
	if !strings.Contains(text, "pool_max_conns") {
		config.MaxConns = defaultConnections
	}
	config.MaxConns = max(config.MaxConns, leastConnections)
	config.MaxConnIdleTime = idleTime
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = lifetime, lifetime/10

	connection := config.ConnConfig
	if !strings.Contains(text, "connect_timeout") {
		connection.ConnectTimeout = connectTimeout
	}
	connection.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &canceling{connection: c}
	}
	connection.OnNotice = warnings.keep
	parameters := connection.RuntimeParams
	named := parameters["search_path"]
	schema = cmp.Or(o.Schema, named)
	if named != "" && named != schema && o.overruled != nil {
		o.overruled()
	}
	delete(parameters, "search_path") // statements say which schema
	if strings.Contains(schema, ",") {
		return nil, "", errors.New("search_path must name one schema: the tenant's own")
	}
	schema = cmp.Or(strings.Trim(schema, `" `), "public")
	parameters["application_name"] = cmp.Or(parameters["application_name"], "scimserver")
	for _, name := range timeLimits() {
		parameters[name] = cmp.Or(parameters[name], fmt.Sprint(statementTimeout.Milliseconds()))
	}
	expected := expectation{
		writable: !strings.Contains(text, "target_session_attrs"), durable: parameters["synchronous_commit"], sent: maps.Clone(parameters),
		owned: o.owned,
	}
	if m != direct {
		expected.carried = m.pool(connection, strings.Contains(text, "default_query_exec_mode"))
	}
	connection.ValidateConnect = expected.validated(connection.ValidateConnect)
	return config, schema, nil
}

var errAnotherSchema = &engineError{misread, "the connection URL names another schema than when this server started; restart it, if that is right"}

// connect makes a pool that asks for the URL again whenever it makes a connection. It has at most so many connections; 0 for those that
// the URL and a pool of one leave.
func (o Options) connect(ctx context.Context, way *pooler, connections int32) (*pool, error) {
	config, schema, err := o.parse(direct)
	if err != nil {
		return nil, err
	}
	if config.MaxConns--; connections > 0 {
		config.MaxConns = connections
	}
	config.MinConns, config.MinIdleConns = 0, 0 // those in reserve would be others' who share the database
	config.BeforeConnect = func(_ context.Context, connection *pgx.ConnConfig) error {
		current, named, err := o.parse(way.manner())
		if err != nil {
			return err
		}
		if named != schema {
			return errAnotherSchema
		}
		*connection = *current.ConnConfig
		return nil
	}
	config.AfterConnect = func(_ context.Context, connection *pgx.Conn) error {
		if misled(connection.PgConn()) {
			return errPooled
		}
		return nil
	}
	p := &pool{way: way, most: int(config.MaxConns), schema: newNamespace(schema)}
	p.Pool, err = pgxpool.NewWithConfig(ctx, config)
	return p, err
}
