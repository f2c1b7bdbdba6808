package credentials

import (
	"errors"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// State is what a decision follows from.
type State struct {
	Tenant *v1alpha1.ProvisioningTenant
	// Verifier is the verifier Secret, nil where there is none. Handed are the Secrets that hand credentials out, by name; one that does
	// not exist is missing.
	Verifier *corev1.Secret
	Handed   map[string]*corev1.Secret
	// Blocked says by the name of a Secret that hands credentials out why it cannot be written.
	Blocked map[string]error
	// Elsewhere tells whether a credential with this fingerprint is another tenant's.
	Elsewhere func(fingerprint string) (bool, error)
	// Random is where new credentials come from.
	Random io.Reader
	Now    time.Time
}

// Decision is what is to be written. The order keeps each promise through a crash in between: first Withdraws, because nothing that fails afterwards may
// keep valid what is to end; then the Secrets that hand credentials out, because nobody is let in who was given nothing; and then Accepts.
type Decision struct {
	// Issued are the wanted credentials as they should be, the Secret Token first.
	Issued []desired.Issued
	// TokensEnded are the requests to end all access tokens.
	TokensEnded token.Obeyed
	// Unwanted are those that the spec does not want any more, and whose Secrets may still hold them.
	Unwanted []token.Credential
	// Withdraws is the verifier Secret without what ends, nil where nothing does.
	Withdraws *Verifiers
	// Accepts is the verifier Secret as it should be.
	Accepts Verifiers
	// Ended are the credentials that somebody asked to end.
	Ended []v1alpha1.EndedCredential
	// WithoutToken is why the server accepts no Secret Token, nil where it accepts one. Where Known is false too, nothing is to be written.
	WithoutToken error
	// Known tells whether the verifier Secret could be relied on.
	Known bool
	// Asked is what annotations ask for and was not done before.
	Asked Requests
	// Causes of the credentials that are replaced, for the metrics.
	Causes []string

	tenant    *v1alpha1.ProvisioningTenant
	meanwhile map[string]token.Mark
}

// Verifiers is what the verifier Secret has.
type Verifiers struct {
	Accepted []token.Verifier
	Marks    map[string]token.Mark
}

// Decide decides on a tenant's credentials.
func Decide(state State) (*Decision, error) {
	i := newIssuer(state)
	wanted := token.Wanted(state.Tenant)
	unwanted := i.forgetEnded(wanted)
	issued, causes, err := i.issue(wanted)
	if err != nil {
		return nil, err
	}
	d := &Decision{
		Issued: issued, Unwanted: unwanted, Causes: causes, Known: i.known, Asked: i.asked, WithoutToken: i.withoutToken(issued[0]), Ended: i.ended,
		Accepts: Verifiers{Accepted: verifiersOf(issued), Marks: map[string]token.Mark{}}, tenant: state.Tenant,
	}
	for _, one := range issued {
		d.Accepts.Marks[one.Key] = one.Mark()
	}
	const tokens = v1alpha1.AccessTokensCredential
	if d.TokensEnded = i.tokensEnded(); d.TokensEnded != (token.Obeyed{}) {
		d.Accepts.Marks[tokens] = token.Mark{Obeyed: d.TokensEnded}
	}
	var still []token.Verifier
	still, d.meanwhile = i.withdrawn(d.Accepts.Accepted)
	d.meanwhile[tokens] = d.Accepts.Marks[tokens]
	if len(still) < len(i.accepted.Verifiers) || i.known && d.Accepts.Marks[tokens] != i.marks[tokens] {
		d.Withdraws = &Verifiers{Accepted: still, Marks: d.meanwhile}
	}
	return d, nil
}

// Denied remembers in what the server accepts each credential that ended as long as its Secret may still hold it: the API server denied what takes it
// away.
func (d *Decision) Denied(blocked map[string]error) {
	for key, mark := range d.meanwhile {
		name, _ := token.ByKey(key, d.tenant.Name).Secret(d.tenant.Name)
		if _, denied := errors.AsType[*Denied](blocked[name]); denied && mark.Ended != "" {
			kept := d.Accepts.Marks[key]
			kept.Ended = mark.Ended
			d.Accepts.Marks[key] = kept
		}
	}
}

// Ends is when a credential ends by itself that was issued then; the zero time for never.
func Ends(tenant *v1alpha1.ProvisioningTenant, credential token.Credential, issuedAt time.Time) time.Time {
	return RotationOf(tenant, credential, Requests{}).Ends(issuedAt)
}
