package token

import (
	"fmt"
	"strings"
	"time"
)

// longestOverlap is that of spec.authentication too.
const longestOverlap = 8760 * time.Hour

// Request is what an annotation of a tenant asks for one credential: a new one, or the end of the one before.
type Request struct {
	// At is when it was asked. It tells requests apart, and which came first.
	At time.Time
	// Overlap is how long the credential before stays valid beside a new one; nil for as long as the spec says.
	Overlap *time.Duration
}

// String is the value of the annotation.
func (r Request) String() string {
	text := r.At.UTC().Format(time.RFC3339Nano)
	if r.Overlap != nil {
		text += ",overlap=" + r.Overlap.String()
	}
	return text
}

// ParseRequest reads the value of an annotation. Its error says which part is wrong and what would be right.
func ParseRequest(value string) (Request, error) {
	first, rest, more := strings.Cut(value, ",")
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(first))
	if err != nil || at.IsZero() {
		return Request{}, fmt.Errorf("%.40q is no time such as 2026-11-23T12:00:00Z", first)
	}
	request := Request{At: at.UTC()}
	if !more {
		return request, nil
	}
	name, text, _ := strings.Cut(rest, "=")
	overlap, err := time.ParseDuration(strings.TrimSpace(text))
	if strings.TrimSpace(name) != "overlap" || err != nil || overlap < 0 || overlap > longestOverlap {
		return Request{}, fmt.Errorf("%.40q is no overlap such as overlap=24h, from overlap=0s to overlap=8760h", rest)
	}
	request.Overlap = &overlap
	return request, nil
}

// Obeyed are the newest requests for one credential that were obeyed. The zero time is none.
type Obeyed struct {
	Rotate time.Time `json:"rotate,omitzero"`
	Revoke time.Time `json:"revoke,omitzero"`
}

// Or returns the newer of each request.
func (o Obeyed) Or(other Obeyed) Obeyed {
	if other.Rotate.After(o.Rotate) {
		o.Rotate = other.Rotate
	}
	if other.Revoke.After(o.Revoke) {
		o.Revoke = other.Revoke
	}
	return o
}
