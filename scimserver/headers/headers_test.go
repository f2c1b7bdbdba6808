package headers_test

import (
	"net/http"
	"testing"

	"github.com/tenantry/tenantry/scimserver/headers"
)

func TestABodyHasACodingUnlessItsCodingIsIdentity(t *testing.T) {
	for _, c := range []struct {
		lists []string
		want  bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"identity"}, false},
		{[]string{" IDENTITY , ,identity"}, false},
		{[]string{"gzip"}, true},
		{[]string{"Identity, br"}, true},
		{[]string{"identity", "deflate"}, true},
		{[]string{"identity;q=0"}, true},
		{[]string{"what-nobody-knows"}, true},
	} {
		if got := headers.HasCoding(http.Header{"Content-Encoding": c.lists}); got != c.want {
			t.Errorf("%q: %v", c.lists, got)
		}
	}
}
