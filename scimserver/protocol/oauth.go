package protocol

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/headers"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/share"
)

const (
	// grantType is the only one (RFC 6749 section 4.4).
	grantType = "client_credentials"
	// assertionType is the client_assertion_type of a JSON Web Token (RFC 7523 section 2.2).
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// oauthError is an answer of the token endpoint that is no success (RFC 6749 section 5.2).
type oauthError struct {
	status      int
	code        string
	description string
}

func (e *oauthError) Error() string { return e.description }

func invalidRequest(description string) *oauthError {
	return &oauthError{http.StatusBadRequest, "invalid_request", description}
}

// tokenEndpoint is the tenant's token endpoint (RFC 6749 section 3.2). Its only grant is client_credentials. It issues tokens while provisioning
// is suspended, too: what they open says so, and to be issued none looks to a client as if its credential were wrong.
func (s *Server) tokenEndpoint(w *recorder, r *http.Request, _ string, log requestLog) {
	w.Header().Set("Pragma", "no-cache") // RFC 6749 section 5.1, beside Cache-Control, which every answer has
	current := s.settings()
	issued, err := s.issue(w, r, current)
	if err == nil {
		err = s.limits.admit(current, share.Client{Class: share.Provisioner, ID: issued.Client})
	} else if limited := s.admitStranger(current); limited != nil {
		err = limited
	} else {
		s.rejected(err)
	}
	if err != nil {
		answer := s.oauthErrorFor(w, err, log)
		if answer.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Basic realm="+strconv.Quote(current.Tenant.Name))
		}
		sendOAuthError(w, answer)
		return
	}
	s.activity.seen(s.now())
	s.metrics.accepted.WithLabelValues(string(token.RoleProvisioner)).Inc()
	sendJSON(w, http.StatusOK, map[string]any{
		"access_token": issued.Value, "token_type": "Bearer", "expires_in": int64(issued.Lifetime.Seconds()), "scope": accessTokenScope,
	})
}

// admitStranger counts a request that is issued no token, whatever the reason, and returns the answer to one too many. It bounds what is logged and
// remembered of such requests. It is no bound on guessing: the good credential among a thousand is let in. That each has 256 random bits is one.
func (s *Server) admitStranger(current *settings.Snapshot) error {
	if current == nil {
		return nil
	}
	return s.limits.admit(current, share.Client{})
}

func sendOAuthError(w http.ResponseWriter, answer *oauthError) {
	sendJSON(w, answer.status, map[string]string{"error": answer.code, "error_description": answer.description})
}

// oauthErrorFor says in OAuth's words what SCIM's would be. What is no fault of the client is to be tried again.
func (s *Server) oauthErrorFor(w http.ResponseWriter, err error, log requestLog) *oauthError {
	if refused, ok := errors.AsType[*oauthError](err); ok {
		return refused
	}
	if refused, ok := errors.AsType[*auth.Refusal](err); ok {
		refused.LogTo(log(), "no access token was issued")
		return &oauthError{http.StatusUnauthorized, "invalid_client", refused.Reason}
	}
	answer := s.describe(undecided(err, log), log)
	if answer.RetryAfter != "" {
		w.Header().Set("Retry-After", answer.RetryAfter)
	}
	code := "server_error"
	if answer.RetryAfter != "" {
		code = "temporarily_unavailable"
	}
	return &oauthError{answer.Status, code, answer.Detail}
}

func (s *Server) issue(w http.ResponseWriter, r *http.Request, current *settings.Snapshot) (auth.AccessToken, error) {
	switch {
	case current == nil:
		return auth.AccessToken{}, s.noSettings()
	case !auth.IssuesTokens(current):
		return auth.AccessToken{}, noTokenEndpoint()
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return auth.AccessToken{}, &oauthError{http.StatusMethodNotAllowed, "invalid_request", "the token endpoint takes POST"}
	}
	form, err := s.limits.readForm(w, r)
	if err != nil {
		return auth.AccessToken{}, err
	}
	switch form.Get("grant_type") {
	case grantType:
		return s.issueTo(r, form, current)
	case "":
		return auth.AccessToken{}, invalidRequest("grant_type is missing: it must be " + grantType)
	default:
		return auth.AccessToken{}, &oauthError{http.StatusBadRequest, "unsupported_grant_type", "grant_type must be " + grantType}
	}
}

func noTokenEndpoint() error {
	return &oauthError{
		http.StatusNotFound, "invalid_request",
		"this tenant has no token endpoint: set spec.authentication.oauth or spec.authentication.workloadIdentity",
	}
}

// issueTo finds out how the client proves who it is, and issues a token to it. A scope is not looked at: there is one, whatever the
// administrator of a client wrote into its form, and the answer tells it (RFC 6749 section 3.3).
func (s *Server) issueTo(r *http.Request, form url.Values, current *settings.Snapshot) (auth.AccessToken, error) {
	id, secret, inHeader, err := basic(r)
	if err != nil {
		return auth.AccessToken{}, err
	}
	switch inForm := form.Has("client_secret"); {
	case form.Has("client_assertion") || form.Has("client_assertion_type"):
		switch {
		case inHeader || inForm:
			return auth.AccessToken{}, invalidRequest("send a client assertion or a client secret, not both")
		case form.Get("client_assertion_type") != assertionType:
			return auth.AccessToken{}, invalidRequest("client_assertion_type must be " + assertionType)
		}
		// RFC 7523 section 3: the client is the assertion's subject. A client_id beside it says nothing that is proven.
		// To check it may take a fetch of keys, for which strangers wait in their share of the places.
		place, err := s.limits.enter(share.Client{})
		if err != nil {
			return auth.AccessToken{}, err
		}
		defer place.Release()
		return s.auth.IssueForAssertion(r.Context(), form.Get("client_assertion"), current)
	case inHeader && (inForm || form.Has("client_id")):
		// Entra can be told to send both. RFC 6749 section 2.3 forbids it, but where they say the same nothing is unclear.
		if form.Get("client_id") != id || inForm && form.Get("client_secret") != secret {
			return auth.AccessToken{}, invalidRequest("the client's credentials in the header and in the body differ")
		}
	case !inHeader && (!inForm || !form.Has("client_id")):
		return auth.AccessToken{}, &oauthError{
			http.StatusUnauthorized, "invalid_client", "the client's credentials are missing: send them by HTTP Basic, or as client_id and client_secret",
		}
	case !inHeader:
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	return s.auth.IssueForSecret(r.Context(), id, secret, current)
}

// basic reads the client's credentials from the header, where they are form-encoded (RFC 6749 section 2.3.1).
func basic(r *http.Request) (id, secret string, given bool, err error) {
	if !headers.Once(r.Header, "Authorization") {
		return "", "", false, invalidRequest(auth.ErrTwoCredentials.Error())
	}
	id, secret, given = r.BasicAuth()
	if !given {
		if r.Header.Get("Authorization") != "" {
			err = &oauthError{http.StatusUnauthorized, "invalid_client", "the Authorization header must have the scheme Basic here"}
		}
		return "", "", false, err
	}
	id, idErr := url.QueryUnescape(id)
	secret, secretErr := url.QueryUnescape(secret)
	if idErr != nil || secretErr != nil {
		return "", "", false, &oauthError{http.StatusUnauthorized, "invalid_client", "the client's credentials in the header are not form-encoded"}
	}
	return id, secret, true, nil
}

// sendJSON sends an answer of OAuth's, which is no SCIM.
func sendJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
