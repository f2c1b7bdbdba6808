package protocol

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/openapi"
)

// description is the OpenAPI document of a tenant.
type description struct {
	tenant   *openapi.Tenant
	document []byte
	version  int64
}

// openAPI answers with the description of the tenant's endpoints. It is for whoever may read the schemas that it is made of.
func (s *Server) openAPI(r *request) error {
	condition, err := r.precondition()
	if err != nil {
		return err
	}
	d, err := s.describeTenant(r)
	if err != nil {
		return err
	}
	// It has no values of anybody, so a client may keep it and ask whether it has changed.
	r.out.Header().Set("Cache-Control", "private, no-cache")
	if err := condition.Check(d.version); err != nil {
		return unlessUnchanged(r, err)
	}
	r.out.Header().Set("ETag", directory.Version(d.version))
	sendJSON(r.out, http.StatusOK, json.RawMessage(d.document))
	return nil
}

// describeTenant returns the description as the request's client sees the tenant. The last that was made is kept: it is the next one's too, as
// long as neither the settings nor the declared schemas change.
func (s *Server) describeTenant(r *request) (*description, error) {
	tenant := s.toDescribe(r)
	if last := s.described.Load(); last != nil && last.tenant.Equal(tenant) {
		return last, nil
	}
	document, err := openapi.Document(tenant)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(document)
	// Its version is a number like that of a resource, so that it is known again where a proxy has added to the tag.
	made := &description{tenant, document, int64(binary.BigEndian.Uint64(sum[:]) >> 1)}
	s.described.Store(made)
	return made, nil
}

// toDescribe is what the document is made of.
func (s *Server) toDescribe(r *request) *openapi.Tenant {
	spec := &r.settings.Tenant.Spec
	tenant := &openapi.Tenant{
		Name: cmp.Or(spec.DisplayName, r.settings.Tenant.Name), URL: r.base, Types: s.types(r),
		SignsIn: spec.Authentication.UserToken != nil,
		Limits:  openapi.Limits{Count: MaxCount, Operations: MaxBulkOperations, Changes: MaxChanges, Wait: int(MaxWait.Seconds())},
	}
	if auth.IssuesTokens(r.settings) {
		tenant.TokenURL = strings.TrimSuffix(r.base, v1alpha1.BasePath) + v1alpha1.TokenPath
	}
	return tenant
}
