package postgres

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

const example = "postgres://USER:PASSWORD@HOST:PORT/DATABASE?search_path=SCHEMA"

// errURL has no cause: the parser's quotes what it was given.
var errURL = errors.New("the connection URL cannot be read; it should look like " + example +
	", with special characters of a password percent-encoded")

// checkKind refuses URLs for other drivers, of which ours would take some for the names of parameters.
func checkKind(text string) error {
	kind := regexp.MustCompile("^([a-z][a-z0-9+.:-]{0,30})://").FindStringSubmatch(text)
	switch {
	case kind == nil && strings.Contains(text, "://") && !strings.Contains(text, "="):
		return errURL
	case kind != nil && kind[1] != "postgres" && kind[1] != "postgresql":
		return fmt.Errorf("the connection URL is for another driver (%s:); it should look like %s", kind[1], example)
	}
	return nil
}

// checkHosts refuses a URL whose password is taken for a host or a database, because a character of it is not encoded. Later
// errors would show it.
func checkHosts(text string, config *pgconn.Config) error {
	if strings.Contains(config.Host, "@") || strings.Contains(text, "://") && strings.Contains(config.Database, "@") && !strings.Contains(text, "%40") {
		return errURL
	}
	for _, other := range config.Fallbacks {
		if strings.Contains(other.Host, "@") {
			return errURL
		}
	}
	return nil
}

// unreadable is the error for what the driver cannot read. Of the driver's own texts, only what it says of TLS has nothing secret.
func unreadable(err error) error {
	if _, why, ok := strings.Cut(err.Error(), "failed to configure TLS"); ok {
		return errors.New("the connection URL asks for TLS in a way that cannot be" + why)
	}
	return errURL
}

// resetIfURLChanged closes all connections when the connection URL changed (rotated password, moved database). A connection that is in use is
// closed when its user is done.
func (s *Store) resetIfURLChanged() {
	now, err := s.url()
	if err != nil {
		return // New connections will say so; those that are there are good.
	}
	if before := s.lastURL.Swap(&now); before != nil && *before != now {
		s.pool.way.forget()
		s.reset()
	}
}

// URLProblem returns why the connection URL cannot be read, nil where it can. Meanwhile connections that are there go on, and no other is made.
func (s *Store) URLProblem() error {
	if _, err := s.url(); err != nil {
		return &engineError{misread, fmt.Sprintf("read the connection URL: %v", err)}
	}
	return nil
}
