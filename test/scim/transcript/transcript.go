// Package transcript reads conversations of an HTTP client and a server out of Markdown, and holds what a server answers
// against them. Documents can so show examples that a test executes.
//
// A conversation stands in code blocks of the language http, each request with its answer below it:
//
//	POST /Users
//
//	{"userName": "anna@contoso.test"}
//
//	HTTP/1.1 201
//	Location: {base}/Users/{anna}
//
//	{"id": "{anna}", "userName": "anna@contoso.test", "…": "…"}
//
// A name in braces stands for a value: where it is first met in an answer it takes the value that is there, and from
// then on it means that value. {*} stands for any text. The member "…" says that the object has further members; without
// it, the answer has exactly those that are shown. Where no body is shown below a status, any is right.
package transcript

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Case is one conversation: the code blocks below one heading of the second level.
type Case struct {
	// Name is the text of the heading.
	Name string
	// Exchanges begin with those that stand above the first heading of the second level, which every case shares.
	Exchanges []Exchange
}

// Exchange is a request and its answer.
type Exchange struct {
	Method string
	// Target is the path and query, not encoded.
	Target string
	Header http.Header
	Body   string
	Answer Answer
	// Line of the request in the document.
	Line int
}

// Answer is what is expected.
type Answer struct {
	Status int
	Header http.Header
	// Body is JSON, "" where any is right.
	Body string
}

// Parse reads a Markdown document. Headings without a conversation are no cases.
func Parse(markdown string) ([]Case, error) {
	var shared []Exchange
	var cases []Case
	lines := strings.Split(markdown, "\n")
	for i := 0; i < len(lines); i++ {
		if name, ok := strings.CutPrefix(lines[i], "## "); ok {
			cases = append(cases, Case{Name: strings.TrimSpace(name)})
		}
		language, fenced := strings.CutPrefix(lines[i], "```")
		if !fenced {
			continue
		}
		start := i + 1
		i += 1 + indexWhere(lines[i+1:], func(line string) bool { return strings.HasPrefix(line, "```") })
		if i == len(lines) {
			return nil, fmt.Errorf("line %d: the code block does not end", start)
		}
		if strings.TrimSpace(language) != "http" {
			continue
		}
		exchanges, err := parseBlock(lines[start:i], start+1)
		if err != nil {
			return nil, err
		}
		if len(cases) == 0 {
			shared = append(shared, exchanges...)
			continue
		}
		last := &cases[len(cases)-1]
		last.Exchanges = append(last.Exchanges, exchanges...)
	}
	told := cases[:0]
	for _, c := range cases {
		if len(c.Exchanges) > 0 {
			c.Exchanges = slices.Concat(shared, c.Exchanges)
			told = append(told, c)
		}
	}
	return told, nil
}

var requestLine = regexp.MustCompile(`^([A-Z]+) (/.*|\?.*)?$`)

// parseBlock reads the exchanges of one code block that begins at the given line.
func parseBlock(lines []string, at int) ([]Exchange, error) {
	var exchanges []Exchange
	for i := 0; i < len(lines); {
		if strings.TrimSpace(lines[i]) == "" {
			i++
			continue
		}
		first := requestLine.FindStringSubmatch(lines[i])
		if first == nil {
			return nil, fmt.Errorf("line %d: a request was expected, such as GET /Users", at+i)
		}
		e := Exchange{Method: first[1], Target: first[2], Line: at + i}
		var err error
		if e.Header, e.Body, i, err = parseMessage(lines, i+1, at); err != nil {
			return nil, err
		}
		if i == len(lines) || !strings.HasPrefix(lines[i], statusPrefix) {
			return nil, fmt.Errorf("line %d: the request has no answer", e.Line)
		}
		code, _, _ := strings.Cut(strings.TrimPrefix(lines[i], statusPrefix), " ")
		if e.Answer.Status, err = strconv.Atoi(code); err != nil {
			return nil, fmt.Errorf("line %d: a status was expected, such as HTTP/1.1 200", at+i)
		}
		if e.Answer.Header, e.Answer.Body, i, err = parseMessage(lines, i+1, at); err != nil {
			return nil, err
		}
		exchanges = append(exchanges, e)
	}
	return exchanges, nil
}

const statusPrefix = "HTTP/1.1 "

// parseMessage reads the header and body from line i, up to the next request or status.
func parseMessage(lines []string, i, at int) (header http.Header, body string, next int, err error) {
	header = http.Header{}
	for ; i < len(lines) && lines[i] != "" && !startsMessage(lines[i]); i++ {
		name, value, ok := strings.Cut(lines[i], ":")
		if !ok {
			return nil, "", i, fmt.Errorf("line %d: a header field was expected, or an empty line before the body", at+i)
		}
		header.Add(name, strings.TrimSpace(value))
	}
	start := i
	i += indexWhere(lines[i:], startsMessage)
	return header, strings.TrimSpace(strings.Join(lines[start:i], "\n")), i, nil
}

// indexWhere returns the index of the first line of which is holds, or the number of lines.
func indexWhere(lines []string, is func(string) bool) int {
	if i := slices.IndexFunc(lines, is); i >= 0 {
		return i
	}
	return len(lines)
}

func startsMessage(line string) bool {
	return strings.HasPrefix(line, statusPrefix) || requestLine.MatchString(line)
}
