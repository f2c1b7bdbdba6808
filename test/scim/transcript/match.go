package transcript

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// Values are what the names in braces stand for.
type Values map[string]string

const further = "…"

var placeholder = regexp.MustCompile(`\{([A-Za-z][A-Za-z0-9]*|\*)\}`)

// Fill replaces the names that have a value.
func (v Values) Fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if value, ok := v[name[1:len(name)-1]]; ok {
			return value
		}
		return name
	})
}

// Encode writes a path and query as Entra does: spaces as +, and quotes and the like in hexadecimal. What is encoded
// already stays.
func Encode(target string) string {
	path, query, ok := strings.Cut(target, "?")
	path = strings.ReplaceAll(path, " ", "%20")
	if !ok {
		return path
	}
	var b strings.Builder
	for _, c := range []byte(query) {
		switch {
		case c == ' ':
			b.WriteByte('+')
		case c > '~' || c < ' ' || strings.IndexByte(`"<>[]{}|\^`+"`", c) >= 0:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return path + "?" + b.String()
}

// Text compares a text with what is expected, and gives values to the names that have none.
func (v Values) Text(want, got string) error {
	if resolved := v.text(want, got); resolved != got {
		return fmt.Errorf("got %q, want %q", got, resolved)
	}
	return nil
}

// JSON compares a JSON text with what is expected, and gives values to the names that have none. The error shows what
// differs.
func (v Values) JSON(want, got string) error {
	var expected, actual any
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		return fmt.Errorf("what is expected is not JSON: %w", err)
	}
	if err := json.Unmarshal([]byte(got), &actual); err != nil {
		return fmt.Errorf("not JSON: %w\n%s", err, got)
	}
	if diff := cmp.Diff(v.resolve(expected, actual), actual); diff != "" {
		return fmt.Errorf("(-want +got):\n%s", diff)
	}
	return nil
}

// resolve returns what is expected with everything filled in that it leaves open, as far as the actual value fits.
func (v Values) resolve(want, got any) any {
	switch want := want.(type) {
	case map[string]any:
		got, _ := got.(map[string]any)
		out := make(map[string]any, len(want))
		if _, open := want[further]; open {
			maps.Copy(out, got)
		}
		for name, value := range want {
			if name != further {
				out[name] = v.resolve(value, got[name])
			}
		}
		return out
	case []any:
		got, _ := got.([]any)
		out := make([]any, len(want))
		for i, value := range want {
			var actual any
			if i < len(got) {
				actual = got[i]
			}
			out[i] = v.resolve(value, actual)
		}
		return out
	case string:
		if got, ok := got.(string); ok {
			return v.text(want, got)
		}
	}
	return want
}

func (v Values) text(want, got string) string {
	want = v.Fill(want)
	open := placeholder.FindAllStringSubmatchIndex(want, -1)
	if len(open) == 0 {
		return want
	}
	var pattern strings.Builder
	var names []string
	end := 0
	for _, at := range open {
		pattern.WriteString(regexp.QuoteMeta(want[end:at[0]]) + "(.+)")
		names = append(names, want[at[2]:at[3]])
		end = at[1]
	}
	pattern.WriteString(regexp.QuoteMeta(want[end:]))
	found := regexp.MustCompile("(?s)^" + pattern.String() + "$").FindStringSubmatch(got)
	if found == nil {
		return want
	}
	for i, name := range names {
		if name != "*" {
			v[name] = found[i+1]
		}
	}
	return got
}
