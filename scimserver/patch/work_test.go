package patch_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// emails are n values that begin and end alike, as JSON.
func emails(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"value":"somebody.%04d@contoso.test","type":"work"}`, i)
	}
	return "[" + strings.Join(all, ",") + "]"
}

func times(n int, operation string) string {
	return strings.TrimSuffix(strings.Repeat(operation+",", n), ",")
}

// TestTheWorkOfARequestIsBounded counts comparisons and changes (patch.MaxWork) and no time. That a case which is not refused
// stays below the bound shows that its work grows with the number of values, and not with its square: 60 times 1,000 values
// that are each compared with 1,000 are 60 million comparisons.
func TestTheWorkOfARequestIsBounded(t *testing.T) {
	rt := schema.User(device())
	thousand := decode(t, `{"userName":"b","emails":`+emails(schema.MaxValues)+`}`)
	const manyTerms = `emails[value eq \"a\" or value eq \"b\" or value eq \"c\" or value eq \"d\" or value eq \"e\" or value eq \"f\" or value eq \"g\" or value eq \"h\" or type eq \"x\"]`
	for _, c := range []struct {
		name       string
		current    schema.Object
		operations string
		refused    bool
	}{
		{"60 operations that each add the same 1,000 values", schema.Object{"userName": "b"}, times(60, `{"op":"add","path":"emails","value":`+emails(1000)+`}`), false},
		{"1,000 operations that each add one value", schema.Object{"userName": "b"}, func() string {
			var all []string
			for i := range 1000 {
				all = append(all, fmt.Sprintf(`{"op":"add","path":"emails","value":[{"value":"%d"}]}`, i))
			}
			return strings.Join(all, ",")
		}(), false},
		{"60 operations that each remove the same 1,000 values", thousand, times(60, `{"op":"remove","path":"emails","value":`+emails(1000)+`}`), false},
		{"a value path for each of 400 values", thousand, func() string {
			var all []string
			for i := range 400 {
				all = append(all, fmt.Sprintf(`{"op":"replace","path":"emails[value eq \"somebody.%04d@contoso.test\"].display","value":"x"}`, i))
			}
			return strings.Join(all, ",")
		}(), false},
		{"1,000 addresses, which have no value to be found by", schema.Object{"userName": "b"}, func() string {
			var all []string
			for i := range 1000 {
				all = append(all, fmt.Sprintf(`{"locality":"%d"}`, i))
			}
			return `{"op":"add","path":"addresses","value":[` + strings.Join(all, ",") + `]}`
		}(), false},
		{"2,000 labels of elements that never come", schema.Object{"userName": "b"}, func() string {
			var all []string
			for i := range 2000 {
				all = append(all, fmt.Sprintf(`{"op":"add","path":"emails[type eq \"%d\"].primary","value":true}`, i))
			}
			return strings.Join(all, ",")
		}(), true},
		{"800 labels of elements that never come, and 800 removals that look at each", schema.Object{"userName": "b"}, func() string {
			var all []string
			for i := range 800 {
				all = append(all, fmt.Sprintf(`{"op":"add","path":"emails[type eq \"%d\"].primary","value":true}`, i))
			}
			return strings.Join(all, ",") + "," + times(800, `{"op":"remove","path":"emails[type eq \"x\"]"}`)
		}(), true},
		{"120 operations that each change 1,000 values", thousand, times(120, `{"op":"replace","path":"emails.type","value":"home"}`), true},
		{"120 operations with a filter of nine comparisons", thousand, times(120, `{"op":"remove","path":"`+manyTerms+`"}`), true},
		{"1,000 values that differ in type only, three times", schema.Object{"userName": "b"}, func() string {
			var all []string
			for i := range 1000 {
				all = append(all, fmt.Sprintf(`{"value":"x","type":"%d"}`, i))
			}
			return times(3, `{"op":"add","path":"emails","value":[`+strings.Join(all, ",")+`]}`)
		}(), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := apply(t, rt, c.current, c.operations)
			if c.refused {
				wantError(t, err, schema.TooMany, "the operations of a PATCH request can compare at most 1000000 values of multi-valued attributes; send fewer in one request")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestABudgetIsForSeveralRequests(t *testing.T) {
	rt := schema.User()
	r, err := patch.Parse(rt, body(`{"op":"replace","path":"emails[value co \"test\"].display","value":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	current := decode(t, `{"userName":"b","emails":`+emails(100)+`}`)
	const work = 100*2 + 100*10 // looked at and compared, and changed
	budget := patch.NewBudget(2*work + 1)
	for range 2 {
		part := budget.Part() // which is tried in vain, and then once more
		for range 2 {
			part = budget.Part()
			if _, _, err := part.Apply(rt, current, r.Operations); err != nil {
				t.Fatal(err)
			}
		}
		budget.Keep(part)
	}
	if err := budget.Spend(1); err != nil || budget.Exceeded() {
		t.Errorf("the last of the budget cannot be spent: %v", err)
	}
	if _, _, err := budget.Apply(rt, current, r.Operations); !errors.Is(err, patch.ErrBudget) || !budget.Exceeded() {
		t.Errorf("error %v, want ErrBudget", err)
	}
	if err := budget.Spend(0); !errors.Is(err, patch.ErrBudget) {
		t.Errorf("what comes after what did not fit: %v, want ErrBudget", err)
	}
}

func TestOperationsThatGoThroughAllMembersAreFew(t *testing.T) {
	for _, operation := range []string{
		`{"op":"remove","path":"members[type eq \"Group\"]"}`, `{"op":"replace","path":"members","value":[{"value":"u"}]}`,
		`{"op":"replace","path":"members[type eq \"Group\"].value","value":"u"}`,
	} {
		if _, err := patch.Parse(schema.Group(), body(times(patch.MaxMemberScans, operation))); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
		_, err := patch.Parse(schema.Group(), body(times(patch.MaxMemberScans+1, operation)))
		wantError(t, err, schema.TooMany, "a PATCH request can have at most 10 operations that replace members or choose them by more than their value")
	}
	for _, operation := range []string{
		`{"op":"add","path":"members","value":"u"}`, `{"op":"remove","path":"members[value eq \"u\" or value eq \"v\"]"}`, `{"op":"remove","path":"members","value":[{"value":"u"}]}`,
		`{"op":"replace","path":"displayName","value":"B"}`, `{"op":"remove","path":"members"}`,
	} {
		if _, err := patch.Parse(schema.Group(), body(times(1000, operation))); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

func BenchmarkAddAThousandValues(b *testing.B) {
	rt := schema.User()
	current := decode(b, `{"userName":"b","emails":`+emails(schema.MaxValues)+`}`)
	r, err := patch.Parse(rt, body(`{"op":"add","path":"emails","value":`+emails(schema.MaxValues)+`}`))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := patch.Apply(rt, current, r.Operations); err != nil {
			b.Fatal(err)
		}
	}
}
