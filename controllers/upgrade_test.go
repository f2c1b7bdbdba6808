package controllers

import "testing"

func TestWhateverChangesPodsIsAnotherRevision(t *testing.T) {
	t.Parallel()
	options := Options{ServerImage: "scimserver:v1"}
	first, err := revision(options)
	if err != nil || first == "" {
		t.Fatal(first, err)
	}
	again, err := revision(options)
	if err != nil || again != first {
		t.Errorf("the same options are revision %s and then %s (%v)", first, again, err)
	}
	for name, other := range map[string]Options{
		"the image": {ServerImage: "scimserver:v2"},
		"a flag":    {ServerImage: "scimserver:v1", EntraAuthority: "https://login.test"},
	} {
		if got, err := revision(other); err != nil || got == first {
			t.Errorf("%s changed and the revision did not (%v)", name, err)
		}
	}
}
