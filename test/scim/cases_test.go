package scim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/test/scim/transcript"
)

const handbook = "../../docs/scim.md"

// TestTheServerAnswersAsWritten plays the conversations of testdata/*.md.
func TestTheServerAnswersAsWritten(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".md"), func(t *testing.T) {
			t.Parallel()
			playAll(t, file)
		})
	}
}

// TestTheExamplesOfTheHandbookAreTrue plays those of docs/scim.md, and those for an application's developer.
func TestTheExamplesOfTheHandbookAreTrue(t *testing.T) {
	t.Parallel()
	for _, page := range []string{handbook, "../../docs/applications.md"} {
		playAll(t, page)
	}
}

func playAll(t *testing.T, file string) {
	t.Helper()
	for _, c := range read(t, file) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			onEachEngine(t, func(t *testing.T, s *server) { play(t, s, file, c) })
		})
	}
}

func read(t *testing.T, file string) []transcript.Case {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := transcript.Parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(cases) == 0 {
		t.Fatalf("%s has no conversations", file)
	}
	return cases
}

// play has one conversation with a server. It ends with the first answer that is another.
func play(t *testing.T, s *server, file string, c transcript.Case) {
	t.Helper()
	values := transcript.Values{"base": tenantURL, "token": s.token, "previous": s.previous, "reader": s.reader}
	for _, e := range c.Exchanges {
		header := http.Header{}
		for name, sent := range e.Header {
			for _, value := range sent {
				header.Add(name, values.Fill(value))
			}
		}
		got := s.send(t, e.Method, transcript.Encode(values.Fill(e.Target)), values.Fill(e.Body), header)
		where := fmt.Sprintf("%s:%d: %s %s", file, e.Line, e.Method, e.Target)
		if got.status != e.Answer.Status {
			t.Fatalf("%s = %d, want %d\n%s", where, got.status, e.Answer.Status, got.body)
		}
		for name, wanted := range e.Answer.Header {
			if err := values.Text(wanted[0], got.header.Get(name)); err != nil {
				t.Fatalf("%s: %s: %v", where, name, err)
			}
		}
		if e.Answer.Body != "" {
			if err := values.JSON(e.Answer.Body, got.body); err != nil {
				t.Fatalf("%s: %v", where, err)
			}
		}
		if media := e.Answer.Header.Get("Content-Type"); media != "" && !strings.HasPrefix(media, "application/scim+json") {
			continue // it is no SCIM message, as the document says
		}
		if err := wellFormed(e.Method, got); err != nil {
			t.Fatalf("%s: %v\n%s", where, err, got.body)
		}
	}
}

// wellFormed holds an answer against what Entra expects of every answer (fact sheet, section 2).
func wellFormed(method string, got answer) error {
	if got.status == http.StatusNoContent || got.status == http.StatusNotModified || method == http.MethodHead {
		if got.body != "" {
			return fmt.Errorf("an answer %d has no body", got.status)
		}
		return nil
	}
	if media := got.header.Get("Content-Type"); media != "application/scim+json; charset=utf-8" {
		return fmt.Errorf("Content-Type is %q", media)
	}
	var body struct {
		Schemas   []string
		ID        string
		Meta      map[string]any
		Status    any
		Detail    string
		Resources *json.RawMessage
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	switch {
	case len(body.Schemas) == 0:
		return fmt.Errorf("no schemas")
	case got.status >= 400 && (body.Status != strconv.Itoa(got.status) || body.Detail == ""):
		return fmt.Errorf("an error has its status as a string, and a detail")
	case body.Schemas[0] == "urn:ietf:params:scim:api:messages:2.0:ListResponse" && (body.Resources == nil || (*body.Resources)[0] != '['):
		return fmt.Errorf("the Resources of a list are an array")
	case got.status >= 400 && got.header.Get("X-Request-Id") == "":
		return fmt.Errorf("no request id")
	}
	return nil
}
