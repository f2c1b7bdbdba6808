package protocol

import (
	"net/http"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/signin"
	"github.com/tenantry/tenantry/scimserver/store"
)

// me answers with the resource of the user who is calling (RFC 7644 section 3.11). Whether users are provisioned does not matter.
func (s *Server) me(r *request) error {
	if r.user == nil {
		return &Error{
			Status: http.StatusNotImplemented,
			Detail: "this credential is a service's, and /Me is about a user: send a token that Microsoft Entra ID issued to a user",
		}
	}
	shown, target, err := s.reading(r, store.User)
	if err != nil {
		return err
	}
	found, err := s.whoIs(r)
	if err != nil {
		return err
	}
	if err := target.If.Check(found.Version); err != nil {
		return unlessUnchanged(r, err)
	}
	r.out.Header().Set("Location", s.location(r, store.User, found.ID))
	return s.show(r, shown, &found)
}

// notOffered answers what RFC 7644 section 3.11 lets a server leave out: users are changed by who provisions them.
func notOffered(*request) error {
	return &Error{Status: http.StatusNotImplemented, Detail: "/Me can be read and not be changed"}
}

// whoIs finds the user of the directory that the person who is calling is.
func (s *Server) whoIs(r *request) (directory.Resource, error) {
	list, err := s.directory.List(r.context(), store.User, directory.Query{
		Filter: r.user.Filter(), Client: r.client,
		Walk: &directory.Place{Kind: store.User, ID: store.Start}, Limit: signin.MaxUsers + 1, // a step of a walk counts no others
	})
	if err != nil {
		return directory.Resource{}, err
	}
	users := make([]signin.User, len(list.Resources))
	for i := range list.Resources {
		if users[i], err = signin.Read(list.Resources[i].Document); err != nil {
			return directory.Resource{}, err
		}
	}
	at, refusal := r.user.Choose(users)
	if refusal != "" {
		return directory.Resource{}, refused(refusal)
	}
	return list.Resources[at], nil
}

// refused is the answer to a person who is no user of the tenant. RFC 7644 has no scimType for it: the person's application reads the refusal there.
func refused(refusal signin.Refusal) *Error {
	answer := &Error{Status: http.StatusForbidden, ScimType: string(refusal)}
	switch refusal {
	case signin.Inactive:
		answer.Detail = "this user is not active in the tenant: end their session; an administrator of the tenant can make them active again"
	case signin.Ambiguous:
		answer.Detail = "more than one user of the tenant is reached by this token: an administrator has to give each an identityProvider" +
			" and nameIdentifier of its own"
	default:
		answer.Status = http.StatusNotFound
		answer.Detail = "no user of the tenant is reached by this token: the person is not provisioned yet, or what is provisioned as" +
			" identityProvider and nameIdentifier is not the issuer and the object ID of the person's tokens"
	}
	return answer
}
