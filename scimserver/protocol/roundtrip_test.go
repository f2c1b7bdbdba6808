package protocol_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// TestEveryValidUserComesBackExactlyAsItWasSent makes users up by their schemas: what a client sends of any type, in any
// form that is valid, is what it reads afterwards, to the digit.
func TestEveryValidUserComesBackExactlyAsItWasSent(t *testing.T) {
	f := newFixture(t)
	for seed := range uint64(60) {
		query := func(map[string]any) string { return "" }
		if seed == 30 { // from here on with a schema of the tenant's own, of which some is read only by name
			f.declare(hrSchema())
		}
		if seed >= 30 {
			query = func(sent map[string]any) string { return "?attributes=" + strings.Join(every(sent), ",") }
		}
		g := generator{rand.New(rand.NewPCG(seed, 7643))}
		sent := g.user(f.directory.Type(store.User), seed)
		body, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("u%d", seed)
		f.create(name, "/Users", string(body))
		got := exact(t, f.expect("GET", "/Users/{"+name+"}"+query(sent), "", 200, "").body)
		for _, made := range []string{"id", "meta", "schemas"} {
			delete(got, made)
		}
		if want := exact(t, body); !cmp.Equal(want, got) {
			t.Fatalf("seed %d (-sent +read):\n%s", seed, cmp.Diff(want, got))
		}
	}
}

// exact decodes JSON and leaves numbers as they are written.
func exact(t *testing.T, data []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// every names all attributes of a resource, those of extensions by their URN.
func every(resource map[string]any) []string {
	var names []string
	for name, value := range resource {
		values, extension := value.(map[string]any)
		if !extension || !strings.Contains(name, ":") {
			names = append(names, name)
			continue
		}
		for attribute := range maps.Keys(values) {
			names = append(names, name+":"+attribute)
		}
	}
	return names
}

type generator struct{ *rand.Rand }

func (g generator) user(rt *schema.ResourceType, seed uint64) map[string]any {
	user := g.values(rt.Schema.Attributes)
	user["userName"] = fmt.Sprintf("user-%d %s", seed, g.text())
	user["active"] = g.IntN(2) == 0
	user["externalId"] = g.text()
	for _, extension := range rt.Extensions {
		if values := g.values(extension.Attributes); len(values) > 0 {
			user[extension.ID] = values
		}
	}
	return user
}

func (g generator) values(attributes []*schema.Attribute) map[string]any {
	out := map[string]any{}
	for _, a := range attributes {
		if a.Mutability == schema.ReadOnly || a.Mutability == schema.WriteOnly || !a.Required && g.IntN(3) == 0 {
			continue
		}
		if !a.MultiValued {
			if value := g.value(a); value != nil {
				out[a.Name] = value
			}
			continue
		}
		var several []any
		for i := range 1 + g.IntN(3) {
			value := g.value(a)
			if object, ok := value.(map[string]any); ok && i > 0 {
				delete(object, "primary") // which is true at most once
			}
			if value != nil {
				several = append(several, value)
			}
		}
		if several != nil {
			out[a.Name] = several
		}
	}
	return out
}

func (g generator) value(a *schema.Attribute) any {
	switch a.Type {
	case schema.TypeComplex:
		out := g.values(a.SubAttributes)
		if a.Sub("value") != nil && out["value"] == nil || len(out) == 0 || a.IsUnassigned(out) {
			return nil // labels alone say nothing
		}
		return out
	case schema.TypeBoolean:
		return g.IntN(2) == 0
	case schema.TypeInteger:
		return json.Number(pick(g, "0", "-0", "7", "-12", "9007199254740993", "18446744073709551616", fmt.Sprint(g.Int64())))
	case schema.TypeDecimal:
		return json.Number(pick(g, "1.0", "1.00", "1e2", "1E+2", "-0.0", "3.14159265358979323846", "100", fmt.Sprint(g.NormFloat64())))
	case schema.TypeDateTime:
		return pick(g, "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00.123456789+01:00", "2026-01-31T12:00:00",
			"1999-12-31T23:59:59-11:30")
	case schema.TypeBinary:
		raw := []byte(g.text())
		return pick(g, base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw))
	default:
		return g.text()
	}
}

// text is a string of any characters that JSON can carry, but for U+0000, which no engine stores.
func (g generator) text() string {
	pieces := []string{
		" ", "  x ", "\t", "\n", `"`, `\`, "<&>", "'", "é", "e\u0301", "ß", "İ", "\u212a", "日本", "🧑‍🚀", "\u202e", "\ufeff", "\u2028", "\u007f", "\u0001",
		"\U0010ffff", "%", "_", "*", "true", "null", "0", "a@b.test", strings.Repeat("long ", 200),
	}
	var b strings.Builder
	b.WriteByte('x')
	for range g.IntN(5) {
		b.WriteString(pieces[g.IntN(len(pieces))])
	}
	return b.String()
}

func pick(g generator, from ...string) string { return from[g.IntN(len(from))] }
