package kubernetes

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/tenantry/tenantry/scimserver/settings"
)

func FuzzLastKnownGood(f *testing.F) {
	seed, err := encode(&settings.Snapshot{Tenant: tenant(naming("a"))})
	if err != nil {
		f.Fatal(err)
	}
	for _, data := range []string{string(seed), "", "null", "{}", `{"tenant":{},"verifiers":{}}`, `{"tenant":{},"defaults":[{}],"verifiers":null}`} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decode(data)
		if err != nil {
			return
		}
		once, err := encode(s)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := decode(once)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if !equality.Semantic.DeepEqual(s.Tenant, again.Tenant) || !equality.Semantic.DeepEqual(s.Defaults, again.Defaults) {
			t.Errorf("%s\nwas read again as another snapshot", once)
		}
	})
}
