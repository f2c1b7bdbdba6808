package protocol

import (
	"net/http"
	"strings"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/share"
)

// accessTokenScope is the scope of every access token (RFC 6749 section 3.3): SCIM, and what the client's role lets it do there.
const accessTokenScope = "scim"

// authorizationServer is the metadata of a tenant's token endpoint (RFC 8414 section 2).
type authorizationServer struct {
	Issuer        string `json:"issuer"`
	TokenEndpoint string `json:"token_endpoint"`
	// ResponseTypes is required, and may not be empty (section 3.2). There is no authorization endpoint that could issue anything.
	ResponseTypes []string `json:"response_types_supported"`
	GrantTypes    []string `json:"grant_types_supported"`
	Scopes        []string `json:"scopes_supported"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	// SigningAlgorithms are those of client assertions.
	SigningAlgorithms []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
}

// oauthMetadata tells a client how it gets an access token, before it has any credential.
func (s *Server) oauthMetadata(w *recorder, r *http.Request, _ string, log requestLog) {
	w.Header().Set("Pragma", "no-cache")
	metadata, err := s.describeTokenEndpoint(w, r)
	if err != nil {
		sendOAuthError(w, s.oauthErrorFor(w, err, log))
		return
	}
	sendJSON(w, http.StatusOK, metadata)
}

// describeTokenEndpoint says nothing of what is suspended, which is for clients with a credential to know.
func (s *Server) describeTokenEndpoint(w http.ResponseWriter, r *http.Request) (*authorizationServer, error) {
	current := s.settings()
	if current == nil {
		return nil, s.noSettings()
	}
	if err := s.limits.admit(current, share.Client{}); err != nil {
		return nil, err
	}
	if !auth.IssuesTokens(current) {
		return nil, noTokenEndpoint()
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return nil, &oauthError{http.StatusMethodNotAllowed, "invalid_request", "the metadata of the token endpoint takes GET"}
	}
	issuer := strings.TrimSuffix(base(current, r), v1alpha1.BasePath)
	metadata := &authorizationServer{
		Issuer: issuer, TokenEndpoint: issuer + v1alpha1.TokenPath,
		ResponseTypes: []string{"none"}, GrantTypes: []string{grantType}, Scopes: []string{accessTokenScope},
	}
	offered := current.Tenant.Spec.Authentication
	if offered.OAuth != nil {
		metadata.AuthMethods = append(metadata.AuthMethods, "client_secret_basic", "client_secret_post")
	}
	if offered.WorkloadIdentity != nil {
		metadata.AuthMethods = append(metadata.AuthMethods, "private_key_jwt")
		metadata.SigningAlgorithms = []string{string(auth.AssertionAlgorithm)}
	}
	return metadata, nil
}
