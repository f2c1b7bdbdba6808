package cursor_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/cursor"
)

func sealer(t testing.TB, key string) *cursor.Sealer {
	t.Helper()
	s, err := cursor.NewSealer([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	ours  = strings.Repeat("k", cursor.KeySize)
	now   = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	query = []byte("users by title")
)

func TestACursorReadsBackAsItsPlace(t *testing.T) {
	for _, place := range []cursor.Place{
		{Kind: 1, ID: "0199", Total: 7}, {Kind: 2, ID: "0199", Key: []byte{}, Total: 1}, {Kind: 1, ID: "x", Key: []byte("Årsbok\x00\xff")},
	} {
		s := sealer(t, ours)
		text, err := s.Seal(place, query, now.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^[A-Za-z0-9._~-]+$`).MatchString(text) {
			t.Errorf("%s has characters that RFC 9865 section 2 does not allow", text)
		}
		again, err := s.Seal(place, query, now.Add(time.Hour))
		if err != nil || again == text {
			t.Errorf("the same cursor twice: a client could tell equal places: %v", err)
		}
		got, err := sealer(t, ours).Open(text, query, now.Add(time.Hour-time.Second))
		if err != nil || !cmp.Equal(got, place) {
			t.Errorf("got %+v, %v; want %+v", got, err, place)
		}
	}
}

func TestACursorIsRefused(t *testing.T) {
	s := sealer(t, ours)
	text, err := s.Seal(cursor.Place{Kind: 1, ID: "0199", Total: 7}, query, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text, query string
		at          time.Time
		with        *cursor.Sealer
		want        error
	}{
		"when it has expired":                   {text, string(query), now.Add(time.Hour), s, cursor.ErrExpired},
		"for another query":                     {text, "groups by title", now, s, cursor.ErrInvalid},
		"by a server with another key":          {text, string(query), now, sealer(t, strings.Repeat("x", cursor.KeySize)), cursor.ErrInvalid},
		"with a character less":                 {text[1:], string(query), now, s, cursor.ErrInvalid},
		"with a character more":                 {text + "A", string(query), now, s, cursor.ErrInvalid},
		"when it is empty":                      {"", string(query), now, s, cursor.ErrInvalid},
		"when it is no base64":                  {"€", string(query), now, s, cursor.ErrInvalid},
		"when it is long":                       {strings.Repeat("A", 1<<20), string(query), now, s, cursor.ErrInvalid},
		"when it is another's, even if expired": {text, "groups by title", now.Add(2 * time.Hour), s, cursor.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.with.Open(c.text, []byte(c.query), c.at); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	t.Run("with any bit turned", func(t *testing.T) {
		for i := range data {
			turned := bytes.Clone(data)
			turned[i] ^= 1
			if _, err := s.Open(base64.RawURLEncoding.EncodeToString(turned), query, now); !errors.Is(err, cursor.ErrInvalid) {
				t.Errorf("byte %d: %v", i, err)
			}
		}
	})
	if _, err := cursor.NewSealer([]byte("short")); err == nil {
		t.Error("a short key was taken")
	}
}

// FuzzOpen checks that nobody who lacks the key can make a cursor, and that what is one reads back.
func FuzzOpen(f *testing.F) {
	f.Add("", []byte(nil))
	f.Add("AAAA", []byte("key"))
	f.Add(strings.Repeat("A", 76), []byte{0xff})
	f.Add("VZUTiyhEQJ94IR", []byte(`{"k":1,"i":"0199","s":null,"t":7,"e":9999999999}`))
	f.Add("eyJrIjoxLCJpIjoiMDE5OSIsInQiOjcsImUiOjk5OTk5OTk5OTl9", []byte("Årsbok"))
	s := sealer(f, ours)
	f.Fuzz(func(t *testing.T, text string, key []byte) {
		if _, err := s.Open(text, query, now); !errors.Is(err, cursor.ErrInvalid) {
			t.Fatalf("%q: %v", text, err)
		}
		place := cursor.Place{Kind: 2, ID: text, Key: key, Total: len(text)}
		if len(text)+len(key) > 4096 || strings.ToValidUTF8(text, "") != text {
			return
		}
		sealed, err := s.Seal(place, key, now.Add(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Open(sealed, key, now); err != nil || !cmp.Equal(got, place) {
			t.Fatalf("got %+v, %v; want %+v", got, err, place)
		}
	})
}
