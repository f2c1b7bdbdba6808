package schema_test

import (
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

func TestTheIDOfAMemberIsReadInAnySpelling(t *testing.T) {
	const id = "0192f0c1-0a00-7000-8000-00000000000f"
	members := schema.Group().Schema.Attribute("members")
	for text, want := range map[string]string{
		id: id, "0192F0C1-0A00-7000-8000-00000000000F": id, " " + id + "\t\n": id, "\u00a00192F0C1-0a00-7000-8000-00000000000F": id,
		"https://h/scim/v2/Users/" + id: id, "../Groups/0192F0C1-0A00-7000-8000-00000000000F": id, "Users/" + id + "/ ": id,
		"string Id 1": "string Id 1", " ": " ", "": "", id + "," + id: id + "," + id, "{" + id + "}": "{" + id + "}", "Apps/" + id: "Apps/" + id,
		"https://h/Users/Anna":                 "Anna",
		"Users/Users%2F" + id:                  "Users/Users%2F" + id, // which would be read once more as another id
		"0192f0c10a0070008000-00000000000f---": "0192f0c10a0070008000-00000000000f---", "0192f0c1-0a00-7000-8000-0000000000-f": "0192f0c1-0a00-7000-8000-0000000000-f",
		"0192F0C1-0A00-7000-8000-00000000000G": "0192F0C1-0A00-7000-8000-00000000000G",
	} {
		if got, _ := members.CanonicalID(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if _, lenience := members.CanonicalID("Users/" + id); lenience != schema.LenientReference {
		t.Errorf("a URL as an id: %v", lenience.Quirks())
	}
}
