package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// pollInterval is how often the status is read while a command waits for the operator.
const pollInterval = 500 * time.Millisecond

const pausedHelp = `While a tenant is paused the operator rotates and ends nothing. The command says so at
once, asks for nothing and ends with 1; with --wait=false it asks, and that is done when
the tenant is resumed.`

// request is a wish that the operator fulfils for one credential of a tenant.
type request struct {
	*session
	client.Client

	tenant  *v1alpha1.ProvisioningTenant
	which   selection
	key     string
	wait    bool
	timeout time.Duration
	// asked is what the annotation of that name asks for.
	asked      token.Request
	annotation string
	// accepted is what the server accepts since it was done, unless the status tells of the credential.
	accepted token.Set
}

func (r *request) flags(s *session, command *cobra.Command) {
	r.which.flags(command)
	s.credentialFlag(command, &r.key)
	command.Flags().BoolVar(&r.wait, "wait", true, "wait until the operator has done it")
	command.Flags().DurationVar(&r.timeout, "timeout", time.Minute, "how long to wait for each tenant, such as 30s or 2m")
}

// each has the same done for one tenant after the other, of those that are named or selected. That it failed for one keeps no other from it.
func (s *session) each(command *cobra.Command, r request, names []string, do func(*request) error) error {
	if err := r.which.check(command, names); err != nil {
		return err
	}
	if r.which.everywhere && r.which.labels == "" {
		return usage(command, "--all-namespaces is for the tenants with the labels of --selector, and not for all that there are")
	}
	c, tenants, err := s.selected(command.Context(), command, &r.which, names)
	if err != nil {
		return err
	}
	var failed []error
	for i := range tenants {
		if err := command.Context().Err(); err != nil {
			return errors.Join(append(failed, err)...)
		}
		// It may be another by now, because the command waited for those before it.
		tenant, err := getTenant(command.Context(), c, tenants[i].Namespace, tenants[i].Name)
		if err == nil {
			one := r
			one.session, one.Client, one.tenant = s, c, tenant
			err = do(&one)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// what the credential is called.
func (r *request) what() string {
	switch r.key {
	case v1alpha1.CredentialsTokenKey:
		return "Secret Token"
	case v1alpha1.AccessTokensCredential:
		return "end of the access tokens"
	default:
		return r.key
	}
}

// flag names the credential to another verb.
func (r *request) flag() string {
	if r.key == v1alpha1.CredentialsTokenKey {
		return ""
	}
	return " --credential " + r.key
}

// overlapOf says until when the credential before is valid.
func (r *request) overlapOf(tenant *v1alpha1.ProvisioningTenant) string {
	var text string
	var end time.Time
	if r.key == v1alpha1.CredentialsTokenKey {
		text = ", fingerprint " + tenant.Status.Credentials.Fingerprint
		if at := tenant.Status.Credentials.PreviousExpiresAt; at != nil {
			end = at.Time
		}
	}
	for _, verifier := range r.accepted.Verifiers {
		if verifier.Key() == r.key && !verifier.NotAfter.IsZero() {
			end = verifier.NotAfter
		}
	}
	if !end.IsZero() {
		text += "; the one before is valid until " + end.UTC().Format(time.RFC3339)
	}
	return text
}

// ask annotates the tenant, and says so where nobody waits. It asks now, or a moment after what was asked by a clock that was ahead. It asks for
// nothing where a wait would end only when somebody resumes the tenant.
func (r *request) ask(ctx context.Context, prefix string, ask token.Request, asked string) error {
	tenant := r.tenant
	if tenant.DeletionTimestamp != nil {
		return fmt.Errorf("tenant %q is being deleted, and nothing is issued, rotated or revoked for it any more", tenant.Name)
	}
	if r.wait && isPaused(tenant) {
		return fmt.Errorf("tenant %q is paused, so nothing was asked for: the operator does nothing of that before %s. "+
			"Resume it and run this again; or with --wait=false it is asked for now, and done then", tenant.Name, commandLine("resume", tenant, ""))
	}
	now := r.Clock.Now()
	ask.At = now.UTC()
	if before, err := token.ParseRequest(tenant.Annotations[prefix+r.key]); err == nil && !ask.At.After(before.At) && before.At.Before(now.Add(24*time.Hour)) {
		ask.At = before.At.Add(time.Millisecond)
	}
	r.asked, r.annotation = ask, prefix+r.key
	changed := tenant.DeepCopy()
	metav1.SetMetaDataAnnotation(&changed.ObjectMeta, r.annotation, ask.String())
	if err := r.Patch(ctx, changed, client.MergeFrom(tenant)); err != nil {
		return fmt.Errorf("annotate tenant %q: %w", tenant.Name, err)
	}
	r.tenant = changed // as it was when this was asked
	if !r.wait {
		fmt.Fprintln(r.Out, asked)
		if isPaused(changed) {
			fmt.Fprintf(r.ErrOut, "Tenant %s is paused: it is done once %s was run.\n", tenant.Name, commandLine("resume", tenant, ""))
		}
	}
	return nil
}

func fingerprint(tenant *v1alpha1.ProvisioningTenant) string {
	if tenant.Status.Credentials == nil {
		return ""
	}
	return tenant.Status.Credentials.Fingerprint
}

// refused is what the operator says against the request, or why it does nothing of it; nil where there is nothing to say.
func (r *request) refused(tenant *v1alpha1.ProvisioningTenant) error {
	if tenant.DeletionTimestamp != nil {
		return errors.New("the tenant is being deleted now, and it is not done any more")
	}
	if isPaused(tenant) {
		return fmt.Errorf("the tenant is paused now, and it is done once %s was run", commandLine("resume", tenant, ""))
	}
	condition := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionRequestsObeyed)
	if condition == nil || condition.Status != metav1.ConditionFalse ||
		!strings.Contains(condition.Message, fmt.Sprintf("%s: %q", r.annotation, r.asked.String())) {
		return nil
	}
	return fmt.Errorf("the operator does not do it: %s", condition.Message)
}

// await reads the tenant until the operator has done what was asked, or does not do it.
func (r *request) await(ctx context.Context, done func(*v1alpha1.ProvisioningTenant, token.Obeyed) bool) (*v1alpha1.ProvisioningTenant, error) {
	after := &v1alpha1.ProvisioningTenant{}
	err := wait.PollUntilContextTimeout(ctx, pollInterval, r.timeout, true, func(ctx context.Context) (bool, error) {
		if err := r.Get(ctx, client.ObjectKeyFromObject(r.tenant), after); err != nil {
			return false, err
		}
		finished, err := r.finished(ctx, after, done)
		if err == nil && !finished {
			err = r.refused(after)
		}
		return finished, err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the operator has not done it within %s, and may yet; %s says how the tenant is", r.timeout, commandLine("describe", r.tenant, ""))
	}
	if err != nil {
		return nil, fmt.Errorf("wait for the %s of tenant %q: %w", r.what(), r.tenant.Name, err)
	}
	return after, nil
}

// finished tells whether the operator has done what was asked. For another credential than the Secret Token only the
// Secret that the server reads shows that.
func (r *request) finished(
	ctx context.Context, tenant *v1alpha1.ProvisioningTenant, done func(*v1alpha1.ProvisioningTenant, token.Obeyed) bool,
) (bool, error) {
	if r.key == v1alpha1.CredentialsTokenKey {
		return done(tenant, token.Obeyed{}), nil
	}
	var verifier corev1.Secret
	if err := r.Get(ctx, client.ObjectKey{Namespace: tenant.Namespace, Name: tenant.Name + v1alpha1.VerifierSuffix}, &verifier); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	set, err := token.Decode(verifier.Data[v1alpha1.VerifierKey])
	r.accepted = set
	return err == nil && done(tenant, set.Obeyed[r.key]), err
}
