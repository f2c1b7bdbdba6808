package auth

import (
	"slices"
	"strings"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// workloadPrefix begins the ID of a client that Entra vouches for; its subject follows.
const workloadPrefix = "workload-"

// grant is what a client proved in exchange for an access token: that it has a secret, or that Entra vouches for it. Nothing in
// it is secret.
type grant struct {
	// Client is the sub of the token, and the client in the provisioning log.
	Client string `json:"client"`
	// ClientID is that of a client with a secret.
	ClientID string `json:"clientID,omitempty"`
	// Subject, Audience, EntraTenant and Cloud are those by which an assertion was accepted. The tenant ID is in lower case.
	Subject     string              `json:"subject,omitempty"`
	Audience    string              `json:"audience,omitempty"`
	EntraTenant string              `json:"entraTenant,omitempty"`
	Cloud       v1alpha1.EntraCloud `json:"cloud,omitempty"`
	// Epoch is that of the verifiers at that time.
	Epoch string `json:"epoch,omitempty"`
}

// grantFor is the grant of a client with a secret.
func grantFor(client token.Verifier, current *settings.Snapshot) grant {
	return grant{Client: client.ID, ClientID: client.ClientID, Epoch: current.Verifiers.Epoch()}
}

// workloadGrant is the grant of a client for which the tenant's Entra tenant vouches.
func workloadGrant(subject, audience string, current *settings.Snapshot) grant {
	return grant{
		Client: workloadPrefix + subject, Subject: subject, Audience: audience,
		EntraTenant: strings.ToLower(current.Tenant.Spec.Entra().TenantID), Cloud: current.Tenant.Spec.Entra().Cloud,
		Epoch: current.Verifiers.Epoch(),
	}
}

// grantsOf lists the grants that the settings trust.
func grantsOf(current *settings.Snapshot, now time.Time) []grant {
	var all []grant
	for _, client := range current.Verifiers.Verifiers {
		all = append(all, grantFor(client, current))
	}
	if trusted := current.Tenant.Spec.Authentication.WorkloadIdentity; trusted != nil && current.Tenant.Spec.Entra() != nil {
		for _, subject := range trusted.Subjects {
			for _, audience := range trusted.Audiences {
				all = append(all, workloadGrant(subject, audience, current))
			}
		}
	}
	return slices.DeleteFunc(all, func(g grant) bool {
		_, trusted := g.role(current, now)
		return !trusted
	})
}

// role returns what the client may do, and whether the settings trust the grant.
func (g grant) role(current *settings.Snapshot, now time.Time) (token.Role, bool) {
	authentication, entra := current.Tenant.Spec.Authentication, current.Tenant.Spec.Entra()
	if g.Epoch != current.Verifiers.Epoch() {
		return "", false
	}
	if g.Subject != "" {
		trusted := authentication.WorkloadIdentity
		return token.RoleProvisioner, trusted != nil && entra != nil &&
			slices.Contains(trusted.Subjects, g.Subject) && slices.Contains(trusted.Audiences, g.Audience) &&
			strings.EqualFold(entra.TenantID, g.EntraTenant) && entra.Cloud == g.Cloud
	}
	client, ok := current.Verifiers.ByID(g.Client)
	return client.Role, ok && client.ClientID != "" && client.ClientID == g.ClientID &&
		authentication.OAuth != nil && !client.Expired(now)
}
