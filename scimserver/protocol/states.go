package protocol

import (
	"errors"
	"net/http"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
)

// retrySuspended is the Retry-After, in seconds, for what the tenant's spec holds back: less than Entra's cycle.
const retrySuspended = "600"

// heldBack returns the answer 503 while the tenant holds back callers of this role, and nil while it does not. It is asked of callers with a
// good credential only, which keeps others from learning of it. A 401 or 404 would make Entra quarantine its job, and a half answer would make
// it create or delete what is there.
func heldBack(current *settings.Snapshot, role token.Role) error {
	switch role {
	case token.RoleProvisioner:
		if current.ProvisioningSuspended() {
			return later("provisioning of this tenant is suspended (spec.provisioning.state); nothing was changed, try again later")
		}
	case token.RoleReader, auth.RoleUser:
		if current.AccessSuspended() {
			return later("access to this tenant is suspended (spec.access.state); try again later")
		}
	}
	return nil
}

// enabled returns the answer 503 to a client that provisions while its resource type is switched off: a 404 would make Entra quarantine the
// job, an empty list would make it create everybody again later. Everybody else reads what is stored.
func (s *Server) enabled(r *request, kind store.Kind) error {
	if r.client.Class != share.Provisioner {
		return nil
	}
	enabled, field := r.settings.UsersEnabled(), "users"
	if kind == store.Group {
		enabled, field = r.settings.GroupsEnabled(), "groups"
	}
	if enabled {
		return nil
	}
	return later("provisioning of " + field + " is disabled for this tenant (spec.provisioning." + field + ")")
}

func later(detail string) error {
	return &Error{Status: http.StatusServiceUnavailable, RetryAfter: retrySuspended, Detail: detail, heldBack: true}
}

// isHeldBack tells whether an error is what later returns.
func isHeldBack(err error) bool {
	answer, ok := errors.AsType[*Error](err)
	return ok && answer.heldBack
}
