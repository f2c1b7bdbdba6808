package storage

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/ownership"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestWhoseAClaimIsFollowsFromItsMark(t *testing.T) {
	t.Parallel()
	own := ownership.Of(contoso())
	adoptedFrom := func(from string, mark ownership.Volume) ownership.Volume {
		mark.AdoptedFrom = from
		return mark
	}
	withoutEntra := func(t *v1alpha1.ProvisioningTenant) { t.Spec.IdentityProvider = nil }
	noReport := func(t *v1alpha1.ProvisioningTenant) { t.Status.Directory = &v1alpha1.DirectoryStatus{ID: "d5f4"} }
	const (
		foreign = "stalled StorageReady ForeignDirectory 0s"
		edited  = "customers/contoso/" + otherID
		fabriks = "elsewhere/fabrikam/" + otherID
		age     = "Takes up volume claim contoso-data, of 1Gi and from 2026-11-18T11:06:40Z"
	)
	for name, test := range map[string]struct {
		tenant  *v1alpha1.ProvisioningTenant
		mark    *ownership.Volume
		owner   ownership.Volume
		takesUp string
		refused string
	}{
		"its own":                   {tenant: contoso(), mark: new(ownership.Volume{Identity: own}), owner: ownership.Volume{Identity: own}},
		"without a mark":            {tenant: contoso(), owner: ownership.Volume{Identity: own}, takesUp: age + ". The directory on it is served on."},
		"its own, which it adopted": {tenant: contoso(), mark: new(adoptedFrom("a/b", ownership.Volume{Identity: own})), owner: adoptedFrom("a/b", ownership.Volume{Identity: own})},
		"of the tenant before it was made again, which had adopted it": {
			tenant: contoso(), mark: new(adoptedFrom("a/b", of("customers", "contoso", entraID, "uid-before"))), owner: ownership.Volume{Identity: own},
			takesUp: age + ", which tenant customers/contoso with the Entra tenant ID " + entraID + " left behind. The directory on it is served on.",
		},
		"the tenant names no Entra tenant any more": {
			tenant: contoso(withoutEntra), mark: new(ownership.Volume{Identity: own}), owner: ownership.Volume{Identity: own},
		},
		"the ID was edited, and no server has reported": {
			tenant: contoso(), mark: new(adoptedFrom("a/b", of("customers", "contoso", otherID, "uid-contoso"))),
			owner: adoptedFrom("a/b", ownership.Volume{Identity: own}),
		},
		"the ID was edited, and the server counts nobody": {
			tenant: contoso(counted(0, 0)), mark: new(of("customers", "contoso", otherID, "uid-contoso")), owner: ownership.Volume{Identity: own},
		},
		"the ID was edited, and the server has not counted": {
			tenant: contoso(noReport), mark: new(of("customers", "contoso", otherID, "uid-contoso")), refused: foreign,
		},
		"the ID was edited, and there are users": {
			tenant: contoso(counted(1, 0)), mark: new(of("customers", "contoso", otherID, "uid-contoso")), refused: foreign,
		},
		"the ID was edited, and there are groups": {
			tenant: contoso(counted(0, 1)), mark: new(of("customers", "contoso", otherID, "uid-contoso")), refused: foreign,
		},
		"the ID was edited, and the directory is handed over by its id": {
			tenant: contoso(counted(1, 0), annotated(edited+"/d5f4")), mark: new(of("customers", "contoso", otherID, "uid-contoso")),
			owner: adoptedFrom(edited, ownership.Volume{Identity: own}),
		},
		"the ID was edited, and the claim is handed over though the directory is known": {
			tenant: contoso(counted(1, 0), annotated(edited+"/uid-claim")), mark: new(of("customers", "contoso", otherID, "uid-contoso")), refused: foreign,
		},
		"another ID of the name before": {
			tenant: contoso(), mark: new(of("customers", "contoso", otherID, "uid-before")), refused: foreign,
		},
		"another tenant's": {tenant: contoso(), mark: new(of("elsewhere", "fabrikam", otherID, "uid-fabrikam")), refused: foreign},
		"another tenant's, adopted": {
			tenant: contoso(annotated(fabriks + "/uid-claim")), mark: new(of("elsewhere", "fabrikam", otherID, "uid-fabrikam")),
			owner:   adoptedFrom(fabriks, ownership.Volume{Identity: own}),
			takesUp: age + ", which tenant elsewhere/fabrikam with the Entra tenant ID " + otherID + " left behind. The directory on it is served on.",
		},
		"another tenant's, where another claim was adopted": {
			tenant: contoso(annotated(fabriks + "/uid-other")), mark: new(of("elsewhere", "fabrikam", otherID, "uid-fabrikam")), refused: foreign,
		},
	} {
		change := unmarked
		if test.mark != nil {
			change = marked(*test.mark)
		}
		d := Decide(State{Tenant: test.tenant, Claim: contosoData(change)})
		var owner ownership.Volume
		if d.Claim != nil {
			owner = d.Claim.Owner
		}
		if owner != test.owner || d.TakesUp != test.takesUp || told(d.Refused) != test.refused {
			t.Errorf("%s:\nowner %+v\ntakes up %q\nrefused %q", name, owner, d.TakesUp, told(d.Refused))
		}
	}
}

// The server holds the mark in the directory, which is still the former tenant's, against the adoption.
func TestAnAdoptionStandsWhileTheEntraTenantIDIsCorrected(t *testing.T) {
	t.Parallel()
	mark := of("customers", "contoso", otherID, "uid-contoso") // it was mistyped
	mark.AdoptedFrom = "elsewhere/fabrikam/" + entraID
	tenant := contoso()
	d := Decide(State{Tenant: tenant, Claim: contosoData(marked(mark))})
	if d.Refused != nil {
		t.Fatal(d.Refused)
	}
	status := d.Status(tenant, noon)
	if owner := d.Claim.Owner; owner.Identity != ownership.Of(tenant) || owner.AdoptedFrom != mark.AdoptedFrom || status.AdoptedFrom != mark.AdoptedFrom {
		t.Errorf("the claim is marked %+v, and the server is told %q", owner, status.AdoptedFrom)
	}
}

// The directory is missing until it is restored or given up, although an edit of the status takes away which it is.
func TestAMissingDirectoryThatTheStatusLostIsStillMissing(t *testing.T) {
	t.Parallel()
	tenant := contoso(func(p *v1alpha1.ProvisioningTenant) { p.Status.Directory = &v1alpha1.DirectoryStatus{ID: "d5f4"} })
	judge := func() string {
		d := Decide(State{Tenant: tenant})
		if d.Refused == nil {
			return ""
		}
		meta.SetStatusCondition(&tenant.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionStorageReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonDirectoryMissing, Message: d.Refused.Error(),
		})
		return d.Refused.Error()
	}
	first := judge()
	tenant.Status.Directory = nil
	if second, third := judge(), judge(); first == "" || second != first || third != first {
		t.Errorf("first %q, then %q, then %q", first, second, third)
	}
	tenant.Annotations = map[string]string{v1alpha1.AdoptDirectoryAnnotation: ownership.Anew("d5f4")}
	if got := judge(); got != "" {
		t.Errorf("it was given up, and the tenant waits: %s", got)
	}
	tenant.Annotations = nil
	tenant.Status.Conditions[0].Reason = v1alpha1.ReasonBound
	if got := judge(); got != "" {
		t.Errorf("it is missing no more, and the tenant waits: %s", got)
	}
}
