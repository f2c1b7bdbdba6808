package protocol_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestWhatHasToBeFoundByItsValueHasAGreatestLength(t *testing.T) {
	f := newFixture(t)
	long, longest := strings.Repeat("é", 1025), strings.Repeat("é", 1024)
	for path, body := range map[string]string{
		"/Users":  `{"userName":"` + long + `"}`,
		"/Groups": `{"displayName":"` + long + `"}`,
	} {
		f.wantError(f.send(http.MethodPost, path, body), http.StatusBadRequest, "invalidValue")
	}
	f.wantError(f.send(http.MethodPost, "/Users", `{"userName":"anna","externalId":"`+long+`"}`), http.StatusBadRequest, "invalidValue")
	f.create("anna", "/Users", `{"userName":"`+longest+`","externalId":"`+longest+`"}`)
	f.wantError(f.send(http.MethodPatch, "/Users/{anna}", `{"Operations":[{"op":"replace","path":"userName","value":"`+long+`"}]}`),
		http.StatusBadRequest, "invalidValue")
}
