package protocol

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// me answers with the resource of the user who is calling (RFC 7644 section 3.11).
func (s *Server) me(r *request, kind store.Kind) error {
	if r.user == nil {
		return &Error{
			Status: http.StatusNotImplemented,
			Detail: "this credential is a service's, and /Me is about a user: send a token that Microsoft Entra ID issued to a user",
		}
	}
	shown, err := s.view(r, kind)
	if err != nil {
		return err
	}
	found, err := s.whoIs(r)
	if err != nil {
		return err
	}
	r.out.Header().Set("Location", s.location(r, kind, found.ID))
	return s.show(r, shown, &found)
}

// notOffered answers what RFC 7644 section 3.11 lets a server leave out: users are changed by who provisions them.
func notOffered(*request) error {
	return &Error{Status: http.StatusNotImplemented, Detail: "/Me can be read and not be changed"}
}

// whoIs finds a user in the directory: by identityProvider and nameIdentifier, which say how somebody signs in, else by
// the object ID that Entra sent as externalId, else by userName.
func (s *Server) whoIs(r *request) (directory.Resource, error) {
	user := r.user
	const medius = schema.MediusUser + ":"
	names := slices.DeleteFunc([]string{user.ObjectID, user.Subject, user.UserName}, func(name string) bool { return name == "" })
	ways := []string{
		"(" + anyOf(medius+"identityProvider", user.Issuers) + ") and (" + anyOf(medius+"nameIdentifier", names) + ")",
		anyOf("externalId", []string{user.ObjectID}),
	}
	if user.UserName != "" {
		ways = append(ways, anyOf("userName", []string{user.UserName}))
	}
	for i, way := range ways {
		list, err := s.directory.List(r.context(), store.User, directory.Query{Filter: way, Limit: 2, Client: r.client})
		switch {
		case err != nil:
			return directory.Resource{}, err
		case len(list.Resources) == 0:
			continue
		case len(list.Resources) > 1:
			return directory.Resource{}, &Error{
				Status: http.StatusForbidden,
				Detail: "more than one user of this tenant matches the token; nobody can tell which one it is",
			}
		}
		found := list.Resources[0]
		stored, err := identityOf(found)
		switch {
		case err != nil:
			return directory.Resource{}, err
		case i == len(ways)-1 && stored.isSomebodyElse(user):
			continue
		case !stored.Active:
			return directory.Resource{}, &Error{Status: http.StatusForbidden, Detail: "this user is not active in the tenant"}
		}
		return found, nil
	}
	return directory.Resource{}, &Error{Status: http.StatusNotFound, Detail: "no user of this tenant matches the token; they may not have been provisioned yet"}
}

// storedIdentity is what a user's resource says about who they are.
type storedIdentity struct {
	Active     bool   `json:"active"`
	ExternalID string `json:"externalId"`
}

func identityOf(found directory.Resource) (storedIdentity, error) {
	var stored storedIdentity
	return stored, json.Unmarshal(found.Document, &stored)
}

// isSomebodyElse tells a user whose userName was given to another person after them: their object IDs differ.
func (i storedIdentity) isSomebodyElse(user *auth.User) bool {
	stored, err := uuid.Parse(i.ExternalID)
	if err != nil {
		return false
	}
	presented, err := uuid.Parse(user.ObjectID)
	return err == nil && stored != presented
}

// anyOf is the filter for an attribute with one of the values.
func anyOf(attribute string, values []string) string {
	filter := ""
	for _, value := range values {
		if filter != "" {
			filter += " or "
		}
		quoted, _ := json.Marshal(value) // a string can always be encoded
		filter += attribute + " eq " + string(quoted)
	}
	return filter
}
