package patch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// TestLabelsWaitForTheValue: clients set the value of an element and its labels by an operation each, in any order, and the
// element need not be there yet.
func TestLabelsWaitForTheValue(t *testing.T) {
	const (
		primary  = `{"op":"add","path":"emails[type eq \"work\"].primary","value":true}`
		isNot    = `{"op":"add","path":"emails[type eq \"work\"].primary","value":false}`
		value    = `{"op":"add","path":"emails[type eq \"work\"].value","value":"x"}`
		home     = `{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}`
		homeIs   = `{"op":"replace","path":"emails[type eq \"home\"].value","value":"h"}`
		made     = `{"emails":[{"type":"work","primary":true,"value":"x"}]}`
		withHome = `{"emails":[{"type":"home","value":"h","primary":true}]}`
	)
	for _, c := range []struct{ name, current, operations, want string }{
		{"primary, then the value", `{}`, primary + "," + value, made},
		{"the value, then primary", `{}`, value + "," + primary, made},
		{"as Entra sends them", `{}`, `{"op":"Replace","path":"emails[type eq \"work\"].primary","value":"True"},{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x"}`, made},
		{"as two keys", `{}`, `{"op":"add","value":{"emails[type eq \"work\"].value":"x","emails[type eq \"work\"].primary":true}}`, made},
		{"as two keys without a filter", `{}`, `{"op":"add","value":{"emails.value":"x","emails.primary":true}}`, `{"emails":[{"value":"x","primary":true}]}`},
		{"other operations between", `{}`, primary + `,{"op":"add","path":"title","value":"T"},{"op":"add","path":"phoneNumbers[type eq \"work\"].value","value":"1"},` + value,
			`{"title":"T","phoneNumbers":[{"type":"work","value":"1"}],"emails":[{"type":"work","primary":true,"value":"x"}]}`},
		{"not primary", `{}`, isNot + "," + value, `{"emails":[{"type":"work","primary":false,"value":"x"}]}`},
		{"primary, display and value", `{}`, primary + `,{"op":"add","path":"emails[type eq \"work\"].display","value":"D"},` + value,
			`{"emails":[{"type":"work","primary":true,"display":"D","value":"x"}]}`},
		{"the type too, and in another case", `{}`, `{"op":"add","path":"emails[type eq \"work\"].type","value":"work"},` + primary + `,{"op":"add","path":"emails[type eq \"WORK\"].value","value":"x"}`, made},
		{"a whole element of labels", `{}`, `{"op":"add","path":"emails[type eq \"work\"]","value":{"primary":true}},` + value, made},
		{"labels of an element that is there", `{"emails":[{"type":"work","value":"x"}]}`, `{"op":"add","path":"emails[type eq \"work\"]","value":{"primary":"True"}}`, made},
		{"in the place of what it had", `{"emails":[{"type":"home","value":"x","primary":false}]}`, `{"op":"replace","path":"emails[value eq \"x\"]","value":{"type":"work","primary":true}}`, made},
		{"with a value that is taken away they are nothing", `{"emails":[{"type":"work","value":"x"}]}`, `{"op":"replace","path":"emails[type eq \"work\"]","value":{"primary":true,"value":null}}`, `{}`},
		{"then a whole element", `{}`, primary + `,{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"x"}}`, made},
		{"then an added element", `{}`, primary + `,{"op":"add","path":"emails","value":[{"type":"Work","value":"x"}]}`, `{"emails":[{"type":"Work","primary":true,"value":"x"}]}`},
		{"then two: the first is it", `{}`, primary + `,{"op":"add","path":"emails","value":[{"type":"work","value":"x"},{"type":"work","value":"y"}]}`,
			`{"emails":[{"type":"work","primary":true,"value":"x"},{"type":"work","value":"y"}]}`},
		{"then another type, which is none of it", `{}`, primary + `,{"op":"add","path":"emails","value":[{"type":"home","value":"x"}]}`, `{"emails":[{"type":"home","value":"x"}]}`},
		{"by a filter of more", `{}`, `{"op":"add","path":"roles[primary eq \"True\"].type","value":"t"},{"op":"add","path":"roles[primary eq \"True\"].value","value":"r"}`,
			`{"roles":[{"primary":true,"type":"t","value":"r"}]}`},

		{"the old primary steps back", withHome, primary + "," + value, `{"emails":[{"type":"home","value":"h","primary":false},{"type":"work","primary":true,"value":"x"}]}`},
		{"and for an added element", withHome, primary + `,{"op":"add","path":"emails","value":[{"type":"work","value":"x"}]}`,
			`{"emails":[{"type":"home","value":"h","primary":false},{"type":"work","primary":true,"value":"x"}]}`},
		{"but not for one that never comes", withHome, primary, withHome},
		{"nor for one of another attribute", withHome, primary + `,{"op":"add","path":"ims[type eq \"work\"].value","value":"x"}`,
			`{"emails":[{"type":"home","value":"h","primary":true}],"ims":[{"type":"work","value":"x"}]}`},

		{"the last word on primary holds: false behind the value", `{}`, primary + "," + value + "," + isNot, `{"emails":[{"type":"work","primary":false,"value":"x"}]}`},
		{"false before it", `{}`, primary + "," + isNot + "," + value, `{"emails":[{"type":"work","primary":false,"value":"x"}]}`},
		{"true after false", `{}`, isNot + "," + primary + "," + value, made},
		{"false with it", `{}`, primary + `,{"op":"add","path":"emails","value":[{"type":"work","value":"x","primary":false}]}`, `{"emails":[{"type":"work","primary":false,"value":"x"}]}`},
		{"another's before", withHome, home + "," + primary + "," + value, `{"emails":[{"type":"home","value":"h","primary":false},{"type":"work","primary":true,"value":"x"}]}`},
		{"another's between", withHome, primary + "," + home + "," + value, `{"emails":[{"type":"home","value":"h","primary":true},{"type":"work","primary":false,"value":"x"}]}`},
		{"another's, added between", `{}`, primary + `,{"op":"add","path":"emails","value":[{"type":"home","value":"h","primary":true}]},` + value,
			`{"emails":[{"type":"home","value":"h","primary":true},{"type":"work","primary":false,"value":"x"}]}`},
		{"another's change that says nothing of primary", withHome, primary + `,{"op":"replace","path":"emails[type eq \"home\"].display","value":"H"},` + value,
			`{"emails":[{"type":"home","value":"h","display":"H","primary":false},{"type":"work","primary":true,"value":"x"}]}`},
		{"both to come, the last of them", `{}`, primary + "," + home + "," + homeIs + "," + value, `{"emails":[{"type":"home","primary":true,"value":"h"},{"type":"work","primary":false,"value":"x"}]}`},
		{"whichever comes first", `{}`, primary + "," + home + "," + value + "," + homeIs, `{"emails":[{"type":"work","primary":false,"value":"x"},{"type":"home","primary":true,"value":"h"}]}`},
		{"and the other, if that never comes", `{}`, primary + "," + home + "," + value, made},

		{"a removal takes the labels too", `{}`, primary + `,{"op":"remove","path":"emails[type eq \"work\"]"},` + value, `{"emails":[{"type":"work","value":"x"}]}`},
		{"that of one label", `{}`, primary + `,{"op":"remove","path":"emails[type eq \"work\"].primary"},` + value, `{"emails":[{"type":"work","value":"x"}]}`},
		{"that of all", `{}`, primary + `,{"op":"remove","path":"emails"},` + value, `{"emails":[{"type":"work","value":"x"}]}`},
		{"that of others does not", `{}`, primary + `,{"op":"remove","path":"emails[type eq \"home\"]"},` + value, made},
		{"a replacement of all says all", `{}`, primary + `,{"op":"replace","path":"emails","value":[{"type":"work","value":"x"}]}`, `{"emails":[{"type":"work","value":"x"}]}`},
		{"labels alone make nothing", `{}`, primary + `,{"op":"add","path":"roles[type eq \"t\"].primary","value":false}`, `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			current := decode(t, c.current)
			current["userName"] = "b"
			before := encode(t, current)
			got, err := apply(t, schema.User(), current, c.operations)
			if err != nil {
				t.Fatal(err)
			}
			want := decode(t, c.want)
			want["userName"] = "b"
			if encode(t, got) != encode(t, want) {
				t.Errorf("got  %s\nwant %s", encode(t, got), encode(t, want))
			}
			if encode(t, current) != before {
				t.Errorf("the current resource was changed to %s", encode(t, current))
			}
		})
	}
	for attribute, sub := range map[string]string{
		"emails": "value", "phoneNumbers": "value", "roles": "value", "ims": "value", "photos": "value", "entitlements": "value", "addresses": "formatted",
	} {
		t.Run("of "+attribute, func(t *testing.T) {
			for _, order := range []string{`%[1]s.primary","value":true},%[1]s.%[2]s","value":"x"}`, `%[1]s.%[2]s","value":"x"},%[1]s.primary","value":true}`} {
				got, err := apply(t, schema.User(), schema.Object{"userName": "b"}, fmt.Sprintf(order, `{"op":"replace","path":"`+attribute+`[type eq \"t\"]`, sub))
				want := fmt.Sprintf(`{"%s":[{"primary":true,"type":"t","%s":"x"}],"userName":"b"}`, attribute, sub)
				if err != nil || encode(t, got) != encode(t, decode(t, want)) {
					t.Errorf("got %s, %v, want %s", encode(t, got), err, want)
				}
			}
		})
	}
}

func TestLabelsThatMakeNothingAreNoMissingTarget(t *testing.T) {
	for operations, want := range map[string]int{
		`{"op":"add","path":"emails[type eq \"work\"].primary","value":true}`:                                                                  0,
		`{"op":"add","path":"emails[type eq \"work\"].primary","value":true},{"op":"add","path":"emails[type eq \"work\"].value","value":"x"}`: 1,
	} {
		r, err := patch.Parse(schema.User(), body(operations))
		if err != nil {
			t.Fatal(err)
		}
		if _, quirks, err := patch.Apply(schema.User(), schema.Object{"userName": "b"}, r.Operations); err != nil || len(quirks) != want {
			t.Errorf("%s: %v, %v", operations, quirks, err)
		}
	}
}

// TestTheValueCanComeAnywhereAmongTheLabels compares each order in which two elements get values and labels with that in which
// the values come first.
func TestTheValueCanComeAnywhereAmongTheLabels(t *testing.T) {
	label := func(kind string, primary bool) string {
		return fmt.Sprintf(`{"op":"add","path":"emails[type eq \"%s\"].primary","value":%t}`, kind, primary)
	}
	value := func(kind string) string {
		return fmt.Sprintf(`{"op":"add","path":"emails[type eq \"%s\"].value","value":"x"}`, kind)
	}
	elements := func(operations []string) map[string]any {
		got, err := apply(t, schema.User(), schema.Object{"userName": "b"}, strings.Join(operations, ","))
		if err != nil {
			t.Fatal(err)
		}
		byType := map[string]any{}
		emails, _ := got["emails"].([]any)
		for _, element := range emails {
			byType[element.(schema.Object)["type"].(string)] = element
		}
		return byType
	}
	labels := []string{label("work", true), label("work", false), label("home", true), label("home", false)}
	const most = 3
	for n := range len(labels) * len(labels) * len(labels) {
		var said []string
		for ; len(said) < most; n /= len(labels) {
			said = append(said, labels[n%len(labels)])
		}
		want := elements(append([]string{value("work"), value("home")}, said...))
		for i := range most + 1 {
			for j := range most + 2 {
				operations := slices.Insert(slices.Insert(slices.Clone(said), i, value("work")), j, value("home"))
				if got := elements(operations); !schema.Equal(got, want) {
					t.Errorf("%s\ngives %v\nwant  %v", strings.Join(operations, "\n"), got, want)
				}
			}
		}
		ofWork := slices.DeleteFunc(slices.Clone(said), func(operation string) bool { return strings.Contains(operation, "home") })
		want = elements(append([]string{value("work")}, ofWork...))
		for i := range most + 1 { // the other never comes
			operations := slices.Insert(slices.Clone(said), i, value("work"))
			if got := elements(operations); !schema.Equal(got, want) {
				t.Errorf("%s\ngives %v\nwant  %v", strings.Join(operations, "\n"), got, want)
			}
		}
	}
}
