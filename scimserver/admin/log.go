package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/transfer"
)

const (
	// defaultLimit is how many entries are sent to who neither follows nor says how many.
	defaultLimit = 1000
	// pollInterval is how often a follower looks for what another replica may have written, and whether its credential is
	// still good.
	pollInterval = 5 * time.Second
	// maxLook is how many entries one request looks at: less than a fifth of a second of work.
	maxLook = 20_000
)

// logTurns divides the turns in which some entries are read. While one has its turn, its client cannot have another, and no
// entry is sent, so nobody holds one for long.
func logTurns() share.Division {
	return share.Division{
		Size: 3, Provisioners: share.Share{Each: 1, Together: 3}, Readers: share.Share{Each: 1, Together: 2},
	}
}

// unread is the last line of an answer that ends before the log does.
type unread struct {
	// Next is the parameter "after" of a request that goes on.
	Next string `json:"next"`
}

// line is an entry and the parameter "after" of a request that goes on behind it.
type line struct {
	transfer.Entry

	Position string `json:"position"`
}

// log sends entries of the provisioning log as JSON Lines.
func (s *server) log(w http.ResponseWriter, r *http.Request) {
	permitted := func() (auth.Identity, error) { return s.authorize(r, token.RoleProvisioner, token.RoleReader) }
	caller, err := permitted()
	if err != nil {
		s.refuse(w, err)
		return
	}
	query, limit, err := s.parseQuery(r.URL.RawQuery)
	if err != nil {
		s.refuse(w, err)
		return
	}
	places := s.queries
	if query.Follow {
		places = s.followers
	}
	place, err := places.enter(caller)
	if err != nil {
		s.refuse(w, err)
		return
	}
	defer place.Release()
	out, err := newStream(w, s.Clock, func() error { _, err := permitted(); return err })
	if err != nil {
		s.refuse(w, err)
		return
	}
	if query.Follow {
		ticker := s.Clock.NewTicker(pollInterval)
		defer ticker.Stop()
		query.Poll = ticker.C()
		query.Idle = func() error {
			if err := out.permitted(); err != nil {
				return err // it was revoked
			}
			return out.flush()
		}
	}
	query.Look = maxLook
	query.Turn = func(ctx context.Context) (done func(), err error) {
		turn, err := s.turns.Take(ctx, caller.AsClient(), 1)
		return turn.Release, err
	}
	s.finish(out, r, s.send(share.NewContext(r.Context(), caller.AsClient()), out, query, limit))
}

func (s *server) send(ctx context.Context, out *stream, query directory.LogQuery, limit int) error {
	lines := json.NewEncoder(out)
	sent, last := 0, ""
	for entry, err := range s.Directory.Log(ctx, query) {
		if more, ok := errors.AsType[*directory.UnreadError](err); ok {
			return lines.Encode(unread{more.After.String()})
		}
		if gone, ok := errors.AsType[*directory.GoneError](err); ok {
			if sent > 0 {
				return lines.Encode(unread{last}) // which is refused
			}
			return &refusal{http.StatusGone, gone.Error() + ": leave out after to read all that is kept, or begin at its end with after=latest"}
		}
		if err != nil {
			return err
		}
		last = directory.PositionOf(&entry).String()
		if err := lines.Encode(line{transfer.NewEntry(&entry), last}); err != nil {
			return err
		}
		if sent++; sent == limit {
			return nil
		}
	}
	return nil
}

// readable parses the query of a URL, all of it: a parameter that was left out would show more than was asked for.
func readable(rawQuery string) (url.Values, error) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, "the query cannot be read: a percent sign is written %25, a semicolon %3B"}
	}
	return values, nil
}

// parseQuery reads the parameters. An unknown one is refused: a mistyped filter would show more than was asked for.
func (s *server) parseQuery(rawQuery string) (query directory.LogQuery, limit int, err error) {
	values, err := readable(rawQuery)
	if err != nil {
		return query, 0, err
	}
	limit = defaultLimit
	if query.Follow, err = parameter(values, "follow", "true or false", strconv.ParseBool); err != nil {
		return query, 0, err
	}
	if query.Follow {
		limit = 0 // none
	}
	for name := range values {
		switch name {
		case "follow":
		case "after":
			query.After, err = parameter(values, name, "latest, the position of an entry, or its sequence number", s.place)
		case "limit":
			limit, err = parameter(values, name, "a positive number", func(value string) (int, error) {
				n, err := strconv.ParseUint(value, 10, 31)
				if err == nil && n == 0 {
					err = strconv.ErrRange
				}
				return int(n), err
			})
		case "since":
			query.Since, err = parameter(values, name, "a time such as 2026-11-25T06:00:00Z", instant)
		case "until":
			query.Until, err = parameter(values, name, "a time such as 2026-11-25T06:00:00Z", instant)
		case "resourceType":
			query.Kind, err = parameter(values, name, "User or Group", func(value string) (store.Kind, error) {
				kind, known := transfer.ParseKind(value)
				if !known {
					return 0, strconv.ErrSyntax
				}
				return kind, nil
			})
		case "resourceId":
			query.ResourceID, err = parameter(values, name, "the id of a user or a group", func(value string) (string, error) {
				if _, valid := store.ParseID(value); !valid {
					return "", strconv.ErrSyntax
				}
				return value, nil
			})
		case "client":
			query.Client, err = exact(values, name)
		case "requestId":
			query.RequestID, err = exact(values, name)
		case "operation":
			query.Operation, err = oneOf(values, name, directory.Operations())
		case "order":
			var order string
			order, err = oneOf(values, name, []string{"ascending", "descending"})
			query.Descending = order == "descending"
		case "outcome":
			query.Outcome, err = oneOf(values, name, append(directory.Outcomes(), directory.OutcomeFailure))
		default:
			err = &refusal{http.StatusBadRequest, "an unknown parameter: there are " + strings.Join(parameters(), ", ")}
		}
		if err != nil {
			return query, 0, err
		}
	}
	switch {
	case query.Descending && query.Follow:
		err = &refusal{http.StatusBadRequest, "follow goes on with what is newer: leave out order=descending"}
	case query.Descending && values.Get("after") == "latest":
		err = &refusal{http.StatusBadRequest, "order=descending begins at the end: leave out after=latest"}
	}
	return query, limit, err
}

// place reads where in the log to begin. A number is for people: it does not tell a log from another that has the same number.
func (s *server) place(text string) (func(context.Context) (directory.Position, error), error) {
	if text == "latest" {
		return s.Directory.Position, nil
	}
	if sequence, err := strconv.ParseUint(text, 10, 63); err == nil {
		return func(ctx context.Context) (directory.Position, error) {
			return s.Directory.PositionAt(ctx, int64(sequence))
		}, nil
	}
	position, err := directory.ParsePosition(text)
	return func(context.Context) (directory.Position, error) { return position, nil }, err
}

func parameters() []string {
	return slices.Sorted(slices.Values([]string{
		"after", "since", "until", "resourceType", "resourceId", "client", "requestId", "operation", "outcome", "limit", "follow", "order",
	}))
}

func instant(value string) (time.Time, error) { return time.Parse(time.RFC3339, value) }

// exact reads what an entry must have. A blank value would be no condition at all, and show everything.
func exact(values url.Values, name string) (string, error) {
	value, err := parameter(values, name, "given once", func(value string) (string, error) { return value, nil })
	if err == nil && value == "" {
		err = &refusal{http.StatusBadRequest, name + " must have a value; leave it out to see every entry"}
	}
	return value, err
}

// oneOf reads a word of a list. Another one would find nothing, and look as if there were nothing.
func oneOf(values url.Values, name string, words []string) (string, error) {
	slices.Sort(words)
	return parameter(values, name, "one of "+strings.Join(words, ", "), func(value string) (string, error) {
		if !slices.Contains(words, value) {
			return "", strconv.ErrSyntax
		}
		return value, nil
	})
}

// parameter reads one value, the zero value where there is none.
func parameter[T any](values url.Values, name, must string, read func(string) (T, error)) (value T, err error) {
	switch given := values[name]; len(given) {
	case 0:
		return value, nil
	case 1:
		if value, err = read(given[0]); err == nil {
			return value, nil
		}
	default:
		must = "given once"
	}
	return value, &refusal{http.StatusBadRequest, name + " must be " + must}
}
