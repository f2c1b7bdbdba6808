package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func (s *session) importing() *cobra.Command {
	var b bearer
	var file string
	command := &cobra.Command{
		Use:   "import TENANT -f FILE",
		Short: "Fill a tenant's empty directory with what export wrote",
		Long: `Fill a tenant's empty directory with what export wrote: users, groups, memberships, and
the provisioning log where it is in the file. Ids, versions and times stay what they
are. All of it is imported or nothing, whatever goes wrong.

Provisioning must be suspended, so that nothing is written meanwhile, and the directory
empty. Suspend access too (spec.access.state) where applications read the tenant, or
they read an empty directory until then. A file is read to its end first and its
checksum compared; standard input is sent as it comes, and the server finds out.

The server is asked through the API server, which takes the right to list pods and to
create pods/portforward, and the Secret Token.`,
		Example: `  kubectl patch provisioningtenant contoso --type=merge -p '{"spec":{"provisioning":{"state":"Suspended"}}}'
  kubectl tenantry import contoso -f contoso.jsonl
  kubectl patch provisioningtenant contoso --type=merge -p '{"spec":{"provisioning":{"state":"Active"}}}'

  # A compressed file
  gunzip -c contoso.jsonl.gz | kubectl tenantry import contoso -f -`,
		Args:              oneTenant,
		ValidArgsFunction: s.completeTenants,
		RunE: func(command *cobra.Command, args []string) error {
			switch {
			case file == "":
				return usage(command, "name the file to import with -f, or - for standard input")
			case file == "-" && b.file == "-":
				return usage(command, "standard input cannot be both the file to import and the token")
			}
			given, err := b.given(s, command)
			if err != nil {
				return err
			}
			a, err := s.administer(command.Context(), &b, args[0], given)
			if err != nil {
				return err
			}
			if a.tenant.Spec.Provisioning.State != v1alpha1.StateSuspended {
				return fmt.Errorf("provisioning of tenant %q is not suspended, and no client may write while its directory is filled. "+
					"Suspend it, and run this again:\n  %s", a.tenant.Name, patchCommand(a.tenant, v1alpha1.StateSuspended, "provisioning"))
			}
			from, err := s.openImport(file)
			if err != nil {
				return err
			}
			defer func() { _ = from.Close() }()
			got, err := a.restore(command.Context(), from)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "imported %s into tenant %s\n", got, a.tenant.Name)
			whom, suspended := "the provisioning client", []string{"provisioning"}
			if a.tenant.Spec.Access.State == v1alpha1.StateSuspended {
				whom, suspended = "its clients", append(suspended, "access")
			}
			fmt.Fprintf(s.Out, "See with %s in half a minute whether its schemas fit, then let %s in again:\n  %s\n",
				commandLine("describe", a.tenant, ""), whom, patchCommand(a.tenant, v1alpha1.StateActive, suspended...))
			return nil
		},
	}
	command.Flags().StringVarP(&file, "filename", "f", "", "import this `file`; - is standard input")
	b.flags(command)
	return command
}

// patchCommand gives those fields of the spec, provisioning and access, the state.
func patchCommand(tenant *v1alpha1.ProvisioningTenant, state v1alpha1.State, fields ...string) string {
	states := make([]string, len(fields))
	for i, field := range fields {
		states[i] = fmt.Sprintf(`%q:{"state":%q}`, field, state)
	}
	return fmt.Sprintf(`kubectl patch provisioningtenant %s -n %s --type=merge -p '{"spec":{%s}}'`, tenant.Name, tenant.Namespace, strings.Join(states, ","))
}

// upload is a file on its way. It tells now and then how far it is.
type upload struct {
	io.ReadCloser
	size  int64 // -1 where nobody knows
	out   io.Writer
	clock clock.PassiveClock

	mu    sync.Mutex
	sent  int64
	told  time.Time
	ended bool
}

// tellInterval is how often an upload tells how far it is.
const tellInterval = 2 * time.Second

// openImport opens what is to be imported. What can be read twice is read to its end first: what is wrong with it need not be sent.
func (s *session) openImport(name string) (*upload, error) {
	u := &upload{ReadCloser: io.NopCloser(s.In), size: -1, out: s.ErrOut, clock: s.Clock, told: s.Clock.Now()}
	if name == "-" {
		return u, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	u.ReadCloser = file
	if err := u.check(file); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), file.Close())
	}
	return u, nil
}

func (u *upload) check(file *os.File) error {
	there, err := file.Stat()
	switch {
	case err != nil:
		return err
	case there.IsDir():
		return errors.New("this is a folder")
	case !there.Mode().IsRegular(): // a pipe
		return nil
	}
	u.size = there.Size()
	if _, err := copyExport(io.Discard, file); err != nil {
		return err
	}
	_, err = file.Seek(0, io.SeekStart)
	return err
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sent += int64(n)
	if now := u.clock.Now(); !u.ended && now.Sub(u.told) >= tellInterval {
		u.told = now
		u.tell()
	}
	return n, err
}

func (u *upload) tell() {
	const mebi = 1 << 20
	switch {
	case u.size < 0:
		fmt.Fprintf(u.out, "sent %d MiB\n", u.sent/mebi)
	case u.sent < u.size:
		fmt.Fprintf(u.out, "sent %d of %d MiB\n", u.sent/mebi, u.size/mebi)
	default:
		fmt.Fprintln(u.out, "sent all of it, and the server makes it final")
	}
}

// end keeps what still reads from telling anything.
func (u *upload) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended = true
}

// restore sends an export to the tenant's server.
func (a *adminPort) restore(ctx context.Context, from *upload) (counts, error) {
	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	defer from.end()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v1alpha1.ImportPath, from)
	if err != nil {
		return counts{}, err
	}
	request.ContentLength = from.size
	// Whom the server refuses need not send anything. How long it takes once all was sent depends on how much that is.
	request.Header.Set("Expect", "100-continue")
	answered, err := a.send(request, &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: headerTimeout})
	if refused, ok := errors.AsType[*refusal](err); ok && (refused.status == http.StatusNotFound || refused.status == http.StatusMethodNotAllowed) {
		return counts{}, fmt.Errorf("the server of tenant %q has no import yet: upgrade Tenantry first", a.tenant.Name)
	}
	if _, cut := errors.AsType[*connectionError](err); cut {
		return counts{}, fmt.Errorf("%w. %s", err, unsure)
	}
	if err != nil {
		return counts{}, err
	}
	defer answered.Close()
	var got counts
	if err := json.NewDecoder(answered).Decode(&got); err != nil {
		return counts{}, fmt.Errorf("the answer of the server was cut off: %w. %s", err, unsure)
	}
	return got, nil
}

// unsure is what to do where nobody said how an import ended.
const unsure = "All was imported or nothing: run this again, which a directory that is not empty refuses"
