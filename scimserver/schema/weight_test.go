package schema_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// TestTheWeightOfATextIsAboutWhatItTakesTakenApart measures what is in use, of texts with many values of a kind.
func TestTheWeightOfATextIsAboutWhatItTakesTakenApart(t *testing.T) {
	var keys strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&keys, `"%x":1,`, i)
	}
	for name, text := range map[string]string{
		"objects without a member":     `{"x":[` + strings.Repeat(`{},`, 50_000) + `1]}`,
		"objects with a member":        `{"x":[` + strings.Repeat(`{"":1},`, 20_000) + `1]}`,
		"objects with two members":     `{"x":[` + strings.Repeat(`{"":1,"a":2},`, 20_000) + `1]}`,
		"objects with nine members":    `{"x":[` + strings.Repeat(`{"":1,"a":2,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1},`, 10_000) + `1]}`,
		"an object with many members":  `{` + keys.String() + `"x":1}`,
		"arrays without an element":    `{"x":[` + strings.Repeat(`[],`, 50_000) + `1]}`,
		"arrays with an element":       `{"x":[` + strings.Repeat(`[1],`, 50_000) + `1]}`,
		"numbers":                      `{"x":[` + strings.Repeat(`1,`, 100_000) + `1]}`,
		"strings":                      `{"x":[` + strings.Repeat(`"\"{{{",`, 100_000) + `1]}`,
		"members of a group":           `{"members":[` + strings.Repeat(`{"value":"01a22a39-988c-7891-bdcf-a3084314961b"},`, 20_000) + `{}]}`,
		"short operations of a PATCH":  `{"Operations":[` + strings.Repeat(`{"op":"add","path":"title","value":"x"},`, 20_000) + `{}]}`,
		"a text and nothing beside it": `{"x":"` + strings.Repeat("{", 1_000_000) + `"}`,
	} {
		data := []byte(text)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		decoded, err := schema.Decode(data)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		took := int(after.HeapAlloc) - int(before.HeapAlloc)
		runtime.KeepAlive(decoded)
		if weight := schema.Weight(data); took > weight*2 || weight > took*2+len(data) {
			t.Errorf("%s: %d KiB take %d KiB, and weigh %d KiB", name, len(data)>>10, took>>10, weight>>10)
		}
		runtime.KeepAlive(data)
	}
}
