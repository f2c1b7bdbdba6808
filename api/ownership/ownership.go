// Package ownership says whose a directory is. A directory has this as its mark, and so has the volume claim of one, where the operator
// judges it before a server runs.
package ownership

import (
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Identity is whose a directory is.
type Identity struct {
	EntraTenantID string `json:"entraTenantID,omitempty"` // a GUID, or empty where the tenant names none
	Namespace     string `json:"namespace"`
	Name          string `json:"name"`
	UID           string `json:"uid,omitempty"` // of the ProvisioningTenant, empty with manifests
}

// Of is whose a directory of the tenant is.
func Of(tenant *v1alpha1.ProvisioningTenant) Identity {
	identity := Identity{Namespace: tenant.Namespace, Name: tenant.Name, UID: string(tenant.UID)}
	if tenant.Spec.Entra() != nil {
		identity.EntraTenantID = canonical(tenant.Spec.Entra().TenantID)
	}
	return identity
}

// Canonical is the identity with its Entra tenant ID in the one spelling that is kept.
func (i Identity) Canonical() Identity {
	i.EntraTenantID = canonical(i.EntraTenantID)
	return i
}

// Owns tells whether what has the mark is this tenant's. An Entra tenant ID that one of them lacks is no difference, nor is another UID: the
// tenant was made again.
func (i Identity) Owns(mark Identity) bool {
	return i.Namespace == mark.Namespace && i.Name == mark.Name && i.SameEntra(mark)
}

// SameEntra tells whether the Entra tenant IDs do not contradict each other.
func (i Identity) SameEntra(mark Identity) bool {
	return i.EntraTenantID == "" || mark.EntraTenantID == "" || canonical(i.EntraTenantID) == canonical(mark.EntraTenantID)
}

// Over is the identity as it is kept in place of a mark. An Entra tenant ID or a UID that the tenant lacks stays, where the mark is the tenant's.
func (i Identity) Over(mark Identity) Identity {
	i = i.Canonical()
	if !i.Owns(mark) {
		return i
	}
	if i.EntraTenantID == "" {
		i.EntraTenantID = mark.EntraTenantID
	}
	if i.UID == "" {
		i.UID = mark.UID
	}
	return i
}

// Path is NAMESPACE/NAME/ENTRA-TENANT-ID, without the last where there is none.
func (i Identity) Path() string {
	if i.EntraTenantID == "" {
		return i.Namespace + "/" + i.Name
	}
	return i.Namespace + "/" + i.Name + "/" + i.EntraTenantID
}

// String names the tenant for people.
func (i Identity) String() string {
	if i.EntraTenantID == "" {
		return i.Namespace + "/" + i.Name
	}
	return i.Namespace + "/" + i.Name + " with the Entra tenant ID " + i.EntraTenantID
}

// Adoption is the value of annotation adopt-directory that takes from a tenant the one directory or volume claim of that id.
func Adoption(from Identity, id string) string { return from.Path() + "/" + id }

// Anew is the value that lets a tenant begin with an empty directory in place of the one with that id, which is missing, and AsItIs the value
// that lets it go on with one that has no mark. Either has an effect once, because what it lets in has another id.
func Anew(missing string) string { return "new/" + missing }

// AsItIs is described at Anew.
func AsItIs(missing string) string { return "unmarked/" + missing }

// Asks tells whether an annotation adopt-directory has that value, as people type it.
func Asks(annotation, value string) bool {
	return strings.EqualFold(strings.TrimSpace(annotation), value)
}

// canonical is the one spelling of a GUID; what is none stays as it is, in lower case.
func canonical(id string) string {
	if parsed, err := uuid.Parse(strings.TrimSpace(id)); err == nil {
		return parsed.String()
	}
	return strings.ToLower(strings.TrimSpace(id))
}

// Volume is whose a volume claim is.
type Volume struct {
	Identity
	// AdoptedFrom is the Path of the tenant from which the ProvisioningTenant with this UID has adopted the claim, empty where it did not.
	AdoptedFrom string `json:"adoptedFrom,omitempty"`
}

// Encode returns what a volume claim has as its mark.
func (v Volume) Encode() string {
	v.Identity = v.Canonical()
	text, _ := json.Marshal(v) // strings alone
	return string(text)
}

// DecodeVolume reads what Encode returned, and false from anything else.
func DecodeVolume(text string) (Volume, bool) {
	var volume Volume
	if json.Unmarshal([]byte(text), &volume) != nil || volume.Namespace == "" || volume.Name == "" {
		return Volume{}, false
	}
	return volume, true
}
