package protocol_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// FuzzBulk checks that a bulk request that can be read is put in an order in which each operation is carried out once, and
// behind those that it refers to unless they refer to each other; that no reference is forgotten; and that every error is
// the client's.
func FuzzBulk(f *testing.F) {
	for _, operations := range []string{
		``, `1`, `{}`, `{"method":"brew","path":"/Users"}`, `{"METHOD":"delete","Path":"//Users/bulkId:x/"}`,
		post("a", "/Users", `{"userName":"a"}`) + "," + post("a", "/Users", `{"userName":"b"}`),
		post("a", "/Users", `{"userName":"a","manager":"bulkId:a"}`),
		post("a", "/Groups", `{"displayName":"A","members":[{"value":"bulkId:b"}]}`) + "," + post("b", "/Groups", `{"displayName":"B","members":["bulkId:a"]}`) + "," +
			post("c", "/Groups", `{"displayName":"C","members":[{"$ref":"bulkId:a"},{"value":"bulkId:b","display":"bulkId:none"}]}`),
		`{"method":"PATCH","path":"/Groups/bulkId:g","data":{"Operations":[{"op":"remove","path":"members[value eq \"bulkId:u\" or value eq \"bulkId:v\"]"}]}},` +
			post("g", "/Groups", `{"displayName":"G"}`) + "," + post("u", "/Users", `{"userName":"u"}`) + "," + post("v", "/Users", `{"userName":"v"}`),
		`{"method":"PUT","path":"/Users/1","version":"W/\"1\"","data":{"userName":"x","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager":"bulkId:x"}},` +
			post("x", "/Users", `{"value":"bulkId:x"}`),
		`{"method":"PATCH","path":"/Users/1","data":{"Operations":[{"path":"emails[value eq \"bulkId:"},{"path":"bulkId:x"},1,null]}},` + post("", "/Users", "{}"),
		post("bulkId:a", "/Users", `{"manager":{"value":"bulkId:bulkId:a"}}`),
	} {
		f.Add([]byte(bulkOf(operations)))
	}
	f.Add([]byte(`{"failOnErrors":1e3,"operations":[]}`))
	f.Add([]byte(`{"failOnErrors":-1,"Operations":[]}`))
	f.Add([]byte(`{"Operations":{}}`))
	f.Add([]byte(`{"Operations":[` + strings.Repeat(`{},`, protocol.MaxBulkOperations) + `{}]}`))

	f.Fuzz(func(t *testing.T, body []byte) {
		operations, units, err := protocol.PlanBulk(body)
		if err != nil {
			wantClientError(t, err)
			return
		}
		position := make([]int, len(operations)) // of the operation's unit, from 1 on
		for at, unit := range units {
			for _, i := range unit {
				if position[i] != 0 {
					t.Fatalf("%s\noperation %d is carried out twice: %v", body, i, units)
				}
				position[i] = at + 1
			}
		}
		for i, op := range operations {
			if position[i] == 0 {
				t.Fatalf("%s\noperation %d is not carried out: %v", body, i, units)
			}
			if op.Err != nil {
				wantClientError(t, op.Err)
				continue
			}
			for _, to := range op.Refers {
				if position[to] > position[i] {
					t.Fatalf("%s\noperation %d is carried out before %d, which it refers to: %v", body, i, to, units)
				}
			}
			wantResolved(t, op)
		}
		for _, unit := range units {
			wantCircle(t, operations, unit)
		}
	})
}

func wantClientError(t *testing.T, err error) {
	t.Helper()
	if content, ok := errors.AsType[*schema.Error](err); ok && content.Detail != "" {
		return
	}
	if answer, ok := errors.AsType[*protocol.Error](err); ok && answer.Status == http.StatusRequestEntityTooLarge {
		return
	}
	t.Fatalf("%T: %v", err, err)
}

// wantResolved checks that an operation without references is as it was sent, whatever stands for them, and that one with
// references is not, and has none afterwards.
func wantResolved(t *testing.T, op protocol.BulkOperation) {
	t.Helper()
	show := func(id string) string {
		data, named := op.Resolved(id)
		out, err := json.Marshal([]any{data, named})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	one, another := show("one"), show("another")
	if (one == another) != (len(op.Refers) == 0) {
		t.Fatalf("an operation that refers to %v becomes\n%s\n%s", op.Refers, one, another)
	}
	if again := show("one"); again != one {
		t.Fatalf("at first\n%s\nand then\n%s", one, again)
	}
}

// wantCircle checks that the operations of a unit all refer to each other, directly or through others of it.
func wantCircle(t *testing.T, operations []protocol.BulkOperation, unit []int) {
	t.Helper()
	for _, from := range unit {
		reached := []int{from}
		for next := 0; next < len(reached); next++ {
			for _, to := range operations[reached[next]].Refers {
				if slices.Contains(unit, to) && !slices.Contains(reached, to) {
					reached = append(reached, to)
				}
			}
		}
		if len(reached) != len(unit) {
			t.Fatalf("%v is one unit, but from %d only %v is reached", unit, from, reached)
		}
	}
}
