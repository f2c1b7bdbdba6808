package protocol

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tenantry/tenantry/scimserver/cursor"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	// CursorTimeout is how long a client may take between two pages of a list that it pages through by cursor.
	CursorTimeout = time.Hour

	// CursorKey names the key of cursors among the directory's secrets.
	CursorKey = "cursor-key"
)

// queryByCursor answers with the page that a cursor leads to, the first for an empty one (RFC 9865 section 2).
func (s *Server) queryByCursor(r *request, kinds []store.Kind, q directory.Query) error {
	count := DefaultCount
	if text := r.query.Get("count"); text != "" {
		asked, ok := integer(text)
		if !ok || asked < 1 {
			return &Error{
				Status: http.StatusBadRequest, ScimType: "invalidCount",
				Detail: fmt.Sprintf("with a cursor, count must be an integer from 1 to %d", MaxCount),
			}
		}
		count = min(asked, MaxCount)
	}
	q.Limit = count
	sealer, err := s.sealer(r.context())
	if err != nil {
		return err
	}
	about, err := cursorQuery(r, kinds, q)
	if err != nil {
		return err
	}
	if q.Walk, err = s.place(r.query.Get("cursor"), sealer, about); err != nil {
		return err
	}
	return s.page(r, kinds, q, "", func(behind *directory.Place) (string, error) {
		next := cursor.Place{Kind: uint8(behind.Kind), ID: behind.ID, Total: behind.Total}
		if behind.Key != nil {
			next.Key = []byte(*behind.Key)
		}
		text, err := sealer.Seal(next, about, s.now().Add(CursorTimeout))
		return fmt.Sprintf(`,"nextCursor":%q`, text), err
	})
}

// place reads a cursor. The errors are those of RFC 9865 section 2.1.
func (s *Server) place(text string, sealer *cursor.Sealer, about []byte) (*directory.Place, error) {
	if text == "" {
		return &directory.Place{}, nil
	}
	opened, err := sealer.Open(text, about, s.now())
	if _, ok := store.ParseID(opened.ID); err == nil && (!ok || opened.Total < 0 || opened.Kind != uint8(store.User) && opened.Kind != uint8(store.Group)) {
		err = cursor.ErrInvalid // of somebody who has read the key, as in a copy of the directory
	}
	switch {
	case errors.Is(err, cursor.ErrExpired):
		return nil, &Error{
			Status: http.StatusBadRequest, ScimType: "expiredCursor",
			Detail: fmt.Sprintf("the cursor has expired: ask for each page within %.0f seconds of the one before, and begin again with an empty cursor",
				CursorTimeout.Seconds()),
		}
	case err != nil:
		return nil, &Error{
			Status: http.StatusBadRequest, ScimType: "invalidCursor",
			Detail: "the cursor is not one that this client received for this query: " +
				"repeat the query unchanged with its nextCursor, or begin again with an empty cursor",
		}
	}
	place := &directory.Place{Kind: store.Kind(opened.Kind), ID: opened.ID, Total: opened.Total}
	if opened.Key != nil {
		key := string(opened.Key)
		place.Key = &key
	}
	return place, nil
}

// cursorQuery is what a cursor is bound to: the list that is asked for, and who asks.
func cursorQuery(r *request, kinds []store.Kind, q directory.Query) ([]byte, error) {
	return json.Marshal([]any{r.caller.Client, kinds, q.Filter, q.SortBy, q.Descending})
}

// sealer returns the server's sealer of cursors. Its key is made once for all replicas.
func (s *Server) sealer(ctx context.Context) (*cursor.Sealer, error) {
	if made := s.cursors.Load(); made != nil {
		return made, nil
	}
	fresh := make([]byte, cursor.KeySize)
	_, _ = rand.Read(fresh) // never fails: crypto/rand ends the process instead
	key, err := s.directory.Secret(ctx, CursorKey, fresh)
	if err != nil {
		return nil, err
	}
	made, err := cursor.NewSealer(key)
	if err != nil {
		return nil, err
	}
	s.cursors.Store(made)
	return made, nil
}
