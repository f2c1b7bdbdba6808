package manifests

import (
	"bytes"
	"testing"
)

func FuzzDocuments(f *testing.F) {
	for _, seed := range []string{
		contoso, join(contoso, finance, fallback), "---\n--- # nothing\n---", "{}", "--- {a: b}\n", "%YAML 1.2\n---\na: b\n...\n",
		`{"apiVersion":"v1","kind":"List","items":[{"kind":"List","apiVersion":"v1","items":[null,1,"x"]}]}`,
		"apiVersion: v1\nkind: Secret\nmetadata: {name: contoso-credentials}\nstringData: {token: x}\n", "a: &a [*a]", "a: [b\r\n--- \r\nc",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := bytes.Count(data, []byte("\n"))
		for _, page := range pages(data) {
			if bytes.Count(page, []byte("\n")) > lines {
				t.Errorf("a document ends behind the end of its file: %q", page)
			}
		}
		documents, _ := folder{{"a.yaml", data}}.documents()
		all, err := decodeAll(documents, "")
		if err == nil && len(all.tenants)+len(all.defaults)+len(all.secrets) != len(documents) {
			t.Errorf("%d documents became %+v", len(documents), all)
		}
	})
}
