package plugin

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// checking is one run of check.
type checking struct {
	which      selection
	bearer     bearer
	output     string
	url, trust string
	timeout    time.Duration
	exitCode   bool

	// token that was handed in, "" for that of each tenant.
	token       string
	authorities *x509.CertPool
	// write writes what was found as JSON or YAML, a list where it is of several tenants; nil for text.
	write   func(any) error
	several bool
}

func (s *session) check() *cobra.Command {
	var k checking
	command := &cobra.Command{
		Use:   "check TENANT...",
		Short: "Ask a tenant's server what Entra's Test Connection asks, and whether it is well",
		Long: `Ask a tenant's server from here, at its Tenant URL, what Entra's Test Connection
asks, and what Entra relies on after that. Some steps go the way of a write, since
proxies and firewalls let much through that is only read. Nothing is written, so a
reader's token is enough.

Each step is a line, with what to do where it fails. Entra asks from the internet
and takes certificates of public authorities only: what is well from here is well
for Entra where the name, the way and the certificate are the same.

` + exitCodeHelp,
		Example: `  kubectl tenantry check contoso

  # Each tenant of a stage
  kubectl tenantry check -l stage=test

  # With the token that was copied, once its Secret was deleted
  kubectl tenantry check contoso --token-file token.txt

  # Past the Ingress or Gateway
  kubectl port-forward service/contoso-scim 8080:80 &
  kubectl tenantry check contoso --url http://localhost:8080/scim/v2

  # From where no cluster can be reached
  kubectl tenantry check contoso --url https://contoso.scim.example.com/scim/v2 --token-file token.txt`,
		ValidArgsFunction: s.completeMoreTenants,
		RunE: func(command *cobra.Command, names []string) error {
			if err := k.prepare(s, command, names); err != nil {
				return err
			}
			walks, err := s.walks(command, &k, names)
			if err != nil {
				return untold(k.exitCode, err)
			}
			return s.walkAll(command.Context(), &k, walks)
		},
	}
	k.which.flags(command)
	command.Flags().StringVar(&k.url, "url", "", "ask at this `URL` instead of the Tenant URL")
	command.Flags().StringVar(&k.trust, "ca-file", "", "trust the certificate authorities in this PEM `file` too; Entra trusts public ones only")
	command.Flags().DurationVar(&k.timeout, "timeout", 30*time.Second, "how long to wait for each answer")
	exitCodeFlag(command, &k.exitCode)
	k.bearer.readerFlags(s, command)
	outputFlag(command, &k.output)
	return command
}

// prepare reads the command line and what was handed in with it.
func (k *checking) prepare(s *session, command *cobra.Command, names []string) (err error) {
	if k.write, err = s.structured(command, k.output); err != nil {
		return err
	}
	if err := k.which.check(command, names); err != nil {
		return err
	}
	k.several = len(names) != 1
	if k.timeout <= 0 {
		return usage(command, "--timeout must be more than 0s, not %s", k.timeout)
	}
	if k.url != "" {
		if k.url, err = endpoint(k.url); err != nil {
			return usage(command, "--url %w", err)
		}
	}
	if k.authorities, err = trusted(k.trust); err != nil {
		return untold(k.exitCode, err)
	}
	if k.token, err = k.bearer.given(s, command); err != nil {
		return untold(k.exitCode, err)
	}
	if k.several && (k.url != "" || k.token != "") {
		return usage(command, "--url, --token-file and $%s are for one tenant", TokenVariable)
	}
	return nil
}

// walks returns a walk to each tenant, with the URL and the token that were handed in, or without those that are still to be found. Where both
// were, there is nothing to ask the cluster for, which may be out of reach.
func (s *session) walks(command *cobra.Command, k *checking, names []string) ([]*walk, error) {
	if k.url != "" && k.token != "" {
		namespace, _, err := s.flags.ToRawKubeConfigLoader().Namespace()
		tenant := &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Name: names[0], Namespace: namespace}}
		return []*walk{{tenant: tenant, unseen: true, url: k.url, token: k.token}}, err
	}
	c, tenants, err := s.selected(command.Context(), command, &k.which, names)
	var walks []*walk
	for i := range tenants {
		walks = append(walks, &walk{cluster: c, tenant: &tenants[i], url: k.url, token: k.token})
	}
	return walks, err
}

// walkAll takes one walk after the other, tells what was found, and returns what is wrong.
func (s *session) walkAll(ctx context.Context, k *checking, walks []*walk) error {
	found, failed := []Check{}, []error{}
	for _, w := range walks {
		if err := w.equip(ctx, k); err != nil {
			failed = append(failed, untold(k.exitCode, err))
			continue
		}
		if k.write == nil {
			if k.several {
				fmt.Fprintf(s.Out, "tenant %s of namespace %s\n", w.tenant.Name, w.tenant.Namespace)
			}
			w.report = func(step Step) { step.write(s.Out) }
		}
		result := w.run(ctx)
		found, failed = append(found, result), append(failed, result.err())
	}
	switch {
	case k.write == nil:
	case k.several:
		failed = append(failed, k.write(found))
	case len(found) > 0:
		failed = append(failed, k.write(found[0]))
	}
	return errors.Join(failed...)
}

// equip finds the token and the URL of the tenant, as far as they were not handed in.
func (w *walk) equip(ctx context.Context, k *checking) (err error) {
	if !w.unseen {
		if w.token, err = k.bearer.of(ctx, w.cluster, w.tenant, w.token); err == nil && w.url == "" {
			w.url, err = tenantURL(w.tenant)
		}
	}
	w.asker = newAsker(w.url, w.token, k.authorities, k.timeout)
	return err
}

// Check is what check found, as JSON and YAML have it.
type Check struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	URL       string `json:"url"`
	Passed    bool   `json:"passed"`
	Steps     []Step `json:"steps"`
}

func (c *Check) err() error {
	failed := 0
	for _, step := range c.Steps {
		if step.Outcome == StepFailed {
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("tenant %q fails %d of %d steps", c.Name, failed, len(c.Steps))
}

// StepOutcome is how a step of a check ended.
type StepOutcome string

// The outcomes. A step is skipped where the ones before leave nothing to ask, or the tenant's spec asks for none.
const (
	StepPassed  StepOutcome = "passed"
	StepFailed  StepOutcome = "failed"
	StepSkipped StepOutcome = "skipped"
)

// Step is one step of a check.
type Step struct {
	Name    string      `json:"name"`
	Outcome StepOutcome `json:"outcome"`
	// Found is what was found, or what is wrong; for a step that was skipped, why.
	Found string `json:"found"`
	// Action that a failure asks for.
	Action string `json:"action,omitempty"`
}

func (s Step) write(out io.Writer) {
	fmt.Fprintf(out, "%-7s  %-21s  %s\n", s.Outcome, s.Name, s.Found)
	if s.Action != "" {
		fmt.Fprintf(out, "         → %s\n", s.Action)
	}
}

// endpoint reads the URL of a SCIM endpoint, which may be pasted with what Entra understands of it.
func endpoint(text string) (string, error) {
	at, err := url.Parse(text)
	switch {
	case err != nil || at.Host == "" || at.User != nil || at.Scheme != "https" && at.Scheme != "http":
		return "", errors.New("must be like https://contoso.scim.example.com" + v1alpha1.BasePath)
	case at.Scheme == "http" && !local(at.Hostname()):
		return "", errors.New("must begin with https://, or the token could be read on the way; http:// is for localhost")
	}
	return at.Scheme + "://" + at.Host + strings.TrimRight(at.EscapedPath(), "/"), nil
}

func local(host string) bool {
	if host == "localhost" {
		return true
	}
	at, err := netip.ParseAddr(host)
	return err == nil && at.IsLoopback()
}

// trusted are the authorities of the system with those in a file, nil where no file is named.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificate authorities: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca-file: %s holds no certificate in PEM", file)
	}
	return pool, nil
}
