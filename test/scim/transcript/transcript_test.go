package transcript

import (
	"strings"
	"testing"
)

const document = "# Title\n\n```http\nPOST /Users\n\n{\"userName\": \"boss\"}\n\nHTTP/1.1 201\n```\n\n" +
	"## A case\n\nProse.\n\n```http\nPATCH /Users/{boss}?attributes=a b\nIf-Match: W/\"1\"\nAccept:\n\n{\n  \"x\": 1\n}\n\nHTTP/1.1 204 No Content\nETag: W/\"2\"\n\n" +
	"GET /Users\n\nHTTP/1.1 200\n\n[]\n```\n\n```sh\nGET nothing\n```\n\n## Prose alone\n\n"

func TestADocumentIsReadAsCasesThatShareItsBeginning(t *testing.T) {
	cases, err := Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 1 || cases[0].Name != "A case" || len(cases[0].Exchanges) != 3 {
		t.Fatalf("got %+v", cases)
	}
	first, second, third := cases[0].Exchanges[0], cases[0].Exchanges[1], cases[0].Exchanges[2]
	if first.Method != "POST" || first.Target != "/Users" || first.Body != `{"userName": "boss"}` || first.Answer.Status != 201 || first.Line != 4 {
		t.Errorf("the shared exchange: %+v", first)
	}
	if second.Header.Get("If-Match") != `W/"1"` || second.Header["Accept"][0] != "" || second.Body != "{\n  \"x\": 1\n}" {
		t.Errorf("the request: %+v", second)
	}
	if second.Answer.Status != 204 || second.Answer.Header.Get("ETag") != `W/"2"` || second.Answer.Body != "" {
		t.Errorf("the answer: %+v", second.Answer)
	}
	if third.Target != "/Users" || third.Answer.Body != "[]" {
		t.Errorf("the third exchange: %+v", third)
	}
}

func TestADocumentThatMakesNoSenseIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ block, want string }{
		"no request":           {"Users", "line 4: a request was expected, such as GET /Users"},
		"no answer":            {"GET /Users\n\n{}", "line 4: the request has no answer"},
		"no status":            {"GET /Users\n\nHTTP/1.1 OK", "line 6: a status was expected, such as HTTP/1.1 200"},
		"no header":            {"GET /Users\n{}\nHTTP/1.1 200", "line 5: a header field was expected, or an empty line before the body"},
		"a block without end":  {"GET /Users\n\nHTTP/1.1 200\n~~~", "line 3: the code block does not end"},
		"an answer on its own": {"HTTP/1.1 200", "line 4: a request was expected, such as GET /Users"},
	} {
		end := "\n```\n"
		if strings.HasSuffix(c.block, "~~~") {
			end = ""
		}
		if _, err := Parse("## A case\n\n```http\n" + c.block + end); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestAnAnswerIsHeldAgainstWhatIsExpected(t *testing.T) {
	for _, c := range []struct {
		name, want, got string
		equal           bool
	}{
		{"the same in another order", `{"a":1,"b":[true,null]}`, `{"b":[true,null],"a":1}`, true},
		{"a member too many", `{"a":1}`, `{"a":1,"b":2}`, false},
		{"a member too many where further ones are allowed", `{"a":1,"…":"…"}`, `{"a":1,"b":2}`, true},
		{"a member that is missing although further ones are allowed", `{"a":1,"…":"…"}`, `{"b":2}`, false},
		{"null for what is missing", `{"a":null,"…":"…"}`, `{"b":2}`, false},
		{"an element too many", `[1]`, `[1,2]`, false},
		{"an element that is missing", `[1,2]`, `[1]`, false},
		{"elements in another order", `[1,2]`, `[2,1]`, false},
		{"a name that has a value", `{"a":"{known}"}`, `{"a":"x"}`, true},
		{"a name that has another value", `{"a":"{known}"}`, `{"a":"y"}`, false},
		{"a name that takes two values", `["{new}","{new}"]`, `["x","y"]`, false},
		{"a name that takes one value twice", `["{new}","{new}"]`, `["x","x"]`, true},
		{"names within text", `"{host}/Users/{id}"`, `"https://x/Users/1"`, true},
		{"any text", `["{*}","{*}"]`, `["x","y"]`, true},
		{"any text, but none", `"{*}"`, `""`, false},
		{"a number where a text is expected", `"{*}"`, `1`, false},
		{"text for a boolean", `true`, `"true"`, false},
		{"no JSON", `{}`, `<html>`, false},
	} {
		if err := (Values{"known": "x"}).JSON(c.want, c.got); (err == nil) != c.equal {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestATargetIsEncodedAsEntraDoes(t *testing.T) {
	for target, want := range map[string]string{
		`/Users`: `/Users`,
		`/Users?filter=userName eq "anna@contoso.test"`:     `/Users?filter=userName+eq+%22anna@contoso.test%22`,
		`/Users?filter=emails[type eq "work"].value pr&x=1`: `/Users?filter=emails%5Btype+eq+%22work%22%5D.value+pr&x=1`,
		`/Users?filter=userName eq "a%2Bb"`:                 `/Users?filter=userName+eq+%22a%2Bb%22`,
		`/Users?filter=displayName eq "Åsa"`:                `/Users?filter=displayName+eq+%22%C3%85sa%22`,
		`/Users/a b`:                                        `/Users/a%20b`,
	} {
		if got := Encode(target); got != want {
			t.Errorf("%s: got %s, want %s", target, got, want)
		}
	}
}
