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

func (s *session) check() *cobra.Command {
	var b bearer
	var output, address, trust string
	var timeout time.Duration
	var exitCode bool
	command := &cobra.Command{
		Use:   "check TENANT",
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

  # With the token that was copied, once its Secret was deleted
  kubectl tenantry check contoso --token-file token.txt

  # Past the Ingress or Gateway
  kubectl port-forward service/contoso-scim 8080:80 &
  kubectl tenantry check contoso --url http://localhost:8080/scim/v2

  # From where no cluster can be reached
  kubectl tenantry check contoso --url https://contoso.scim.example.com/scim/v2 --token-file token.txt`,
		Args:              oneTenant,
		ValidArgsFunction: s.completeTenants,
		RunE: func(command *cobra.Command, args []string) error {
			write, err := s.structured(command, output)
			if err != nil {
				return err
			}
			if timeout <= 0 {
				return usage(command, "--timeout must be more than 0s, not %s", timeout)
			}
			if address != "" {
				if address, err = endpoint(address); err != nil {
					return usage(command, "--url %w", err)
				}
			}
			authorities, err := trusted(trust)
			if err != nil {
				return untold(exitCode, err)
			}
			token, err := b.given(s, command)
			if err != nil {
				return untold(exitCode, err)
			}
			w, err := s.walkTo(command.Context(), args[0], &b, address, token)
			if err != nil {
				return untold(exitCode, err)
			}
			w.asker = newAsker(w.url, w.token, authorities, timeout)
			if write == nil {
				w.report = func(step Step) { step.write(s.Out) }
			}
			result := w.run(command.Context())
			if write != nil {
				if err := write(result); err != nil {
					return err
				}
			}
			return result.err()
		},
	}
	command.Flags().StringVar(&address, "url", "", "ask at this `URL` instead of the Tenant URL")
	command.Flags().StringVar(&trust, "ca-file", "", "trust the certificate authorities in this PEM `file` too; Entra trusts public ones only")
	command.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "how long to wait for each answer")
	exitCodeFlag(command, &exitCode)
	b.readerFlags(s, command)
	outputFlag(command, &output)
	return command
}

// walkTo returns a walk to the tenant of that name, with the URL and the token that were handed in, or else those of the tenant. Where both
// were, there is nothing to ask the cluster for, which may be out of reach.
func (s *session) walkTo(ctx context.Context, name string, b *bearer, url, token string) (*walk, error) {
	if url != "" && token != "" {
		namespace, _, err := s.flags.ToRawKubeConfigLoader().Namespace()
		tenant := &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}}
		return &walk{tenant: tenant, unseen: true, url: url, token: token}, err
	}
	c, tenant, err := s.tenant(ctx, name)
	if err != nil {
		return nil, err
	}
	if token, err = b.of(ctx, c, tenant, token); err == nil && url == "" {
		url, err = tenantURL(tenant)
	}
	return &walk{tenant: tenant, url: url, token: token}, err
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
