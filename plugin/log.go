package plugin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// provisioningLog is one run of log.
type provisioningLog struct {
	*adminPort
	query  url.Values
	follow bool
	// limit is how many entries are still to be shown.
	limit int
	// more tells that the answer ended before the log did; the query says where to go on.
	more bool
	show func(line []byte, entry *Entry) error
}

func (s *session) log() *cobra.Command {
	var b bearer
	var output, since, until string
	l := provisioningLog{query: url.Values{}}
	command := &cobra.Command{
		Use:   "log TENANT",
		Short: "Show the provisioning log: what was changed, by whom, and what failed",
		Long: `Show the provisioning log: what clients and UserDefaults changed, and which requests
to change something failed, oldest first. It has the names of attributes, of a failure
that of the one that was wrong, and the ids of members, and never values.

The server is asked through the API server, which takes the right to list pods and
to create pods/portforward. With --follow it is asked again where it was replaced,
and no entry is lost or shown twice.`,
		Example: `  # What happened in the last two hours
  kubectl tenantry log contoso --since 2h

  # What failed last
  kubectl tenantry log contoso --outcome failure --order descending --limit 20

  # What fails just now
  kubectl tenantry log contoso --follow --since 0s --outcome failure

  # All about one user, for a program
  kubectl tenantry log contoso --resource-id 01926e6f-6f2c-7000-8000-0123456789ab -o json`,
		Args:              oneTenant,
		ValidArgsFunction: s.completeTenants,
		RunE: func(command *cobra.Command, args []string) error {
			if err := l.restrict(command, since, until, s.Clock.Now()); err != nil {
				return err
			}
			var err error
			if l.show, err = s.showEntry(command, output); err != nil {
				return err
			}
			given, err := b.given(s, command)
			if err != nil {
				return err
			}
			if l.adminPort, err = s.administer(command.Context(), &b, args[0], given); err != nil {
				return err
			}
			return l.run(command.Context())
		},
	}
	flags := command.Flags()
	flags.BoolVarP(&l.follow, "follow", "f", false, "show each entry as it is written, until you interrupt")
	flags.StringVar(&since, "since", "", "show entries from this `time` on: a duration before now such as 2h, or a time such as 2026-11-25T06:00:00Z")
	flags.StringVar(&until, "until", "", "show entries before this `time`, given like --since")
	flags.IntVar(&l.limit, "limit", 0, "show so many, the first in the order (default: all)")
	flags.String("order", "", "`order` of the entries: ascending, the oldest first, or descending (default ascending)")
	flags.String("after", "", "show what came after this `position`, or sequence number, of an entry that you saw; latest begins at the end")
	flags.String("resource-type", "", "show what is about this `type` only: User or Group")
	flags.String("resource-id", "", "show what is about the user or group with this `id` only")
	flags.String("client", "", "show what the client with this `name` did only, such as token-5c1fa7de81c3")
	flags.String("request-id", "", "show the request with this `id` only, which the client was told in X-Request-Id")
	flags.String("operation", "", "show this `operation` only: create, replace, patch, delete, import, defaults or unassign")
	flags.String("outcome", "", "show what ended with this `outcome` only: success, failure for all others, or one such as uniqueness or invalidValue")
	for flag, values := range map[string][]string{
		"resource-type": {"User", "Group"}, "order": {"ascending", "descending"},
		"operation": {"create", "defaults", "delete", "import", "patch", "replace", "unassign"},
		"outcome": {
			"badRequest", "canceled", "conflict", "failure", "forbidden", "internalError", "invalidFilter", "invalidPath", "invalidSyntax", "invalidValue",
			"mutability", "noTarget", "notFound", "preconditionFailed", "success", "timeout", "tooLarge", "tooMany", "tooManyRequests", "unavailable",
			"uniqueness", "unsupportedMediaType",
		},
	} {
		complete(command, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	b.readerFlags(s, command)
	outputFlag(command, &output)
	return command
}

// restrict puts what the flags ask for into the query.
func (l *provisioningLog) restrict(command *cobra.Command, since, until string, now time.Time) error {
	for parameter, flag := range map[string]string{
		"after": "after", "resourceType": "resource-type", "resourceId": "resource-id", "client": "client", "requestId": "request-id",
		"operation": "operation", "outcome": "outcome", "order": "order",
	} {
		if given := command.Flags().Lookup(flag); given.Changed {
			l.query.Set(parameter, given.Value.String())
		}
	}
	for flag, text := range map[string]string{"since": since, "until": until} {
		if text == "" {
			continue
		}
		at, err := moment(text, now)
		if err != nil {
			return usage(command, "--%s %w", flag, err)
		}
		l.query.Set(flag, at.UTC().Format(time.RFC3339Nano))
	}
	switch {
	case l.limit < 0 || l.limit == 0 && command.Flags().Changed("limit"):
		return usage(command, "--limit must be 1 or more, not %d", l.limit)
	case l.limit == 0:
		l.limit = math.MaxInt32
	}
	if l.follow {
		l.query.Set("follow", "true")
	}
	return nil
}

// moment reads a time, or how long ago it is.
func moment(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("must be a duration such as 2h or a time such as 2026-11-25T06:00:00Z, not %q", text)
	}
	return at, nil
}

func (l *provisioningLog) run(ctx context.Context) error {
	if !l.follow {
		return l.read(ctx)
	}
	if err := l.pin(ctx); err != nil {
		return err
	}
	from, err := l.open(ctx)
	if err != nil {
		return err
	}
	for {
		err := l.copy(from)
		switch {
		case interrupted(ctx), l.limit == 0:
			return nil // as was asked for
		case errors.Is(err, errShow):
			return err
		}
		fmt.Fprintln(l.ErrOut, "The connection to the server ended; connecting again.")
		err = wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
			var err error
			if from, err = l.open(ctx); err != nil && passing(err) {
				return false, nil
			}
			return true, err
		})
		switch {
		case interrupted(ctx):
			return nil
		case err != nil:
			return err
		}
	}
}

// pin puts the position of the newest entry in the place of latest: a connection that ends before an entry came would go on at another end.
func (l *provisioningLog) pin(ctx context.Context) error {
	if l.query.Get("after") != "latest" {
		return nil
	}
	from, err := l.get(ctx, v1alpha1.LogPath, url.Values{"order": {"descending"}, "limit": {"1"}})
	if err != nil {
		return err
	}
	defer from.Close()
	newest := Entry{Position: "0"} // before the first, where there is none
	if err := json.NewDecoder(from).Decode(&newest); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the server sent something else: %w", errShow, err)
	}
	l.query.Set("after", newest.Position)
	return nil
}

// read shows what is there. The server looks at a part of the log for each request.
func (l *provisioningLog) read(ctx context.Context) error {
	for l.more = true; l.more && l.limit > 0; {
		from, err := l.open(ctx)
		if err != nil {
			return err
		}
		l.more = false
		if err := l.copy(from); err != nil {
			return err
		}
	}
	return nil
}

// interrupted tells whether the user has seen enough.
func interrupted(ctx context.Context) bool { return ctx.Err() != nil }

// open asks for what has not been shown yet.
func (l *provisioningLog) open(ctx context.Context) (io.ReadCloser, error) {
	l.query.Set("limit", strconv.Itoa(l.limit))
	return l.get(ctx, v1alpha1.LogPath, l.query)
}

// errShow says that what was received could not be shown, so that there is no use in receiving more.
var errShow = errors.New("show the provisioning log")

// copy shows entries up to the end of the answer. One that was cut off is not shown.
func (l *provisioningLog) copy(from io.ReadCloser) error {
	defer from.Close()
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the connection to the server ended: %w", err)
		}
		var entry Entry
		if err := json.Unmarshal(line, &entry); err != nil {
			return fmt.Errorf("%w: the server sent something else: %w", errShow, err)
		}
		if entry.Next != "" {
			l.more = true
			l.query.Set("after", entry.Next)
			continue
		}
		if err := l.show(line, &entry); err != nil {
			return fmt.Errorf("%w: %w", errShow, err)
		}
		l.query.Set("after", entry.Position)
		if l.limit--; l.limit == 0 {
			return nil
		}
	}
}

// Entry is one entry of the provisioning log, as docs/operating.md describes it.
type Entry struct {
	Sequence     int64     `json:"sequence"`
	Time         time.Time `json:"time"`
	Client       string    `json:"client"`
	ResourceType string    `json:"resourceType"`
	ResourceID   string    `json:"resourceId"`
	Operation    string    `json:"operation"`
	Attributes   []string  `json:"attributes"`
	Members      struct {
		Added   []string `json:"added"`
		Removed []string `json:"removed"`
	} `json:"members"`
	Defaults string `json:"defaults"`
	Outcome  string `json:"outcome"`
	Count    int64  `json:"count"`
	// Position is where a request goes on behind the entry.
	Position string `json:"position"`

	// Next is all that the last line of an answer has that ends before the log does: where a request goes on.
	Next string `json:"next"`
}

// showEntry returns what writes one entry: for programs as the server sent it, with all that it has.
func (s *session) showEntry(command *cobra.Command, output string) (func([]byte, *Entry) error, error) {
	switch output {
	case "json":
		return func(line []byte, _ *Entry) error {
			_, err := s.Out.Write(line)
			return err
		}, nil
	case "yaml":
		return func(line []byte, _ *Entry) error {
			text, err := yaml.JSONToYAML(line)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.Out, "---\n%s", text)
			return err
		}, nil
	case "text":
		columns := "%-20s  %-18s  %-9s  %-5s  %-36s  %-12s  %s\n"
		begun := false
		return func(_ []byte, e *Entry) error {
			if !begun {
				begun = true
				fmt.Fprintf(s.Out, columns, "TIME", "CLIENT", "OPERATION", "TYPE", "ID", "OUTCOME", "ATTRIBUTES")
			}
			_, err := fmt.Fprintf(s.Out, columns, e.Time.UTC().Format(time.RFC3339), clean(e.Client), clean(e.Operation), clean(e.ResourceType),
				orNothing(clean(e.ResourceID)), e.outcome(), e.attributes())
			return err
		}, nil
	default:
		return nil, usage(command, "--output must be text, json or yaml, not %q", output)
	}
}

func (e *Entry) outcome() string {
	text := clean(e.Outcome)
	if e.Count > 1 {
		text += " ×" + strconv.FormatInt(e.Count, 10)
	}
	return text
}

func (e *Entry) attributes() string {
	text := orNothing(clean(strings.Join(e.Attributes, ",")))
	if added, removed := len(e.Members.Added), len(e.Members.Removed); added+removed > 0 {
		text += fmt.Sprintf(" (+%d -%d)", added, removed)
	}
	if e.Defaults != "" {
		text += " (defaults " + clean(e.Defaults) + ")"
	}
	return text
}
