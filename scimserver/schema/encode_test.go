package schema_test

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

func TestEncodeMakesTheBytesOfMarshal(t *testing.T) {
	for name, object := range map[string]schema.Object{
		"nothing":          nil,
		"no member":        {},
		"a user":           decode(t, entraUser),
		"every kind":       {"t": true, "f": false, "n": nil, "i": json.Number("1.50"), "o": schema.Object{}, "a": []any{}, "none": schema.Object(nil), "no": []any(nil)},
		"an order":         {"b": "1", "a": "2", "B": "3", "é": "4", "": "5"},
		"escapes":          {"q\"": "\"\\\b\f\n\r\t\x00\x1f\x7f/", "html": "<a href='x'>&amp;</a>"},
		"text":             {"åäö": "Östergötland", "emoji": "👩‍🚀", "lines": "a\u2028b\u2029c", "near": "\u2027\u202a"},
		"no UTF-8":         {"a": "\xff", "b": "a\xc3", "c\xed\xa0\x80": "x"},
		"other values":     {"int": 7, "float": 1.5, "strings": []string{"a"}, "map": map[string]string{"b": "1", "a": "2"}},
		"arrays in arrays": {"a": []any{[]any{"x", nil}, schema.Object{"y": []any{true}}}},
	} {
		want, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		got, err := schema.Encode(object)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %s, %v, want %s", name, got, err, want)
		}
	}
	for name, object := range map[string]schema.Object{
		"no number": {"a": json.Number("1x")}, "infinite": {"a": []any{math.Inf(1)}}, "a function": {"a": schema.Object{"b": func() {}}},
	} {
		if got, err := schema.Encode(object); err == nil {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	object := decode(b, entraUser)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := schema.Encode(object); err != nil {
			b.Fatal(err)
		}
	}
}
