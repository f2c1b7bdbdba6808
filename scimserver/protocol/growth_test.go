package protocol_test

import (
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/directory"
)

func TestPatchesLetAResourceGrowToABound(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	large := `"` + strings.Repeat("x", directory.MaxDocument/2) + `"`
	for _, name := range []string{"title", "nickName"} {
		want := 204
		if name == "nickName" {
			want = 400
		}
		got := f.send("PATCH", "/Users/{anna}", patchOf(`{"op":"add","path":"`+name+`","value":`+large+`}`))
		if got.status != want {
			t.Fatalf("%s is %d %.300s, want %d", name, got.status, got.body, want)
		}
	}
	if user := f.expect("GET", "/Users/{anna}?excludedAttributes=title", "", 200, ""); strings.Contains(string(user.body), "nickName") {
		t.Error("what was refused has changed the user")
	}
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"remove","path":"title"}`), 204, "")
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"add","path":"nickName","value":`+large+`}`), 204, "")
}
