package protocol_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/protocol"
)

func TestWhileThereIsNoServerEveryRequestIsAnswered503AndWhenToComeAgain(t *testing.T) {
	t.Parallel()
	for _, request := range []string{"GET /scim/v2/Users/1", "PATCH /scim/v2/Groups/1", "POST /oauth2/token", "DELETE /elsewhere"} {
		method, path, _ := strings.Cut(request, " ")
		answer := httptest.NewRecorder()
		protocol.Unavailable("the directory is being moved").ServeHTTP(answer, httptest.NewRequest(method, path, nil))
		var body struct {
			Schemas        []string
			Status, Detail string
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil {
			t.Fatalf("%s: %v", request, err)
		}
		header := answer.Header()
		if answer.Code != http.StatusServiceUnavailable || header.Get("Retry-After") != "10" || body.Status != "503" ||
			!strings.HasPrefix(header.Get("Content-Type"), "application/scim+json") ||
			body.Detail != "the directory is being moved (request "+header.Get("X-Request-Id")+")" {
			t.Errorf("%s: %d %v %s", request, answer.Code, header, answer.Body)
		}
	}
}
