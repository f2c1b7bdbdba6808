package entra

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tenantry/tenantry/test/entra/quarantine"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// Action is what the provisioning log calls it.
type Action string

// The actions. Disable is for users who are disabled or out of scope, StagedDelete for those in the recycle bin.
const (
	Create       Action = "Create"
	Update       Action = "Update"
	Disable      Action = "Disable"
	StagedDelete Action = "StagedDelete"
	Delete       Action = "Delete"
)

// Status of an entry.
type Status string

// The statuses of the provisioning log.
const (
	Success Status = "Success"
	Failure Status = "Failure"
	Skipped Status = "Skipped"
)

// Kind of a cycle.
type Kind string

// The kinds.
const (
	Initial     Kind = "Initial"
	Incremental Kind = "Incremental"
	OnDemand    Kind = "OnDemand"
)

// Entry is one row of the provisioning log. It names attributes, not their values.
type Entry struct {
	Action Action `json:"action"`
	Status Status `json:"status"`
	// Object is "User" or "Group"; SourceID its objectId; TargetID its id at the server, where it is known.
	Object     string    `json:"object"`
	SourceID   string    `json:"sourceId"`
	TargetID   string    `json:"targetId,omitempty"`
	Attributes []string  `json:"attributes,omitempty"`
	Code       wire.Code `json:"code,omitempty"`
	Reason     string    `json:"reason,omitempty"`
}

// Report is what one cycle did.
type Report struct {
	Kind Kind `json:"kind"`
	// Began by the service's clock; Elapsed in real time.
	Began   time.Time     `json:"began"`
	Elapsed time.Duration `json:"elapsed"`
	// InScope counts users and groups.
	InScope int `json:"inScope"`
	// Succeeded counts by object and action, as in "User Create".
	Succeeded map[string]int `json:"succeeded"`
	// Failed counts by error code.
	Failed map[wire.Code]int `json:"failed"`
	// SkippedObjects is how many objects were left out: disabled before they were ever created, or waiting in escrow.
	SkippedObjects int     `json:"skipped"`
	Entries        []Entry `json:"entries,omitempty"`
	// Escrowed is how many objects and references wait for another try.
	Escrowed   int              `json:"escrowed"`
	Quarantine quarantine.State `json:"quarantine,omitzero"`
	// NotDue: the job is in quarantine and its next try is later, or it is disabled. Nothing was sent.
	NotDue bool `json:"notDue,omitempty"`
	wire.Measures
}

// OK tells whether everything that was tried worked.
func (r *Report) OK() bool {
	return len(r.Failed) == 0 && r.Escrowed == 0 && !r.Quarantine.Quarantined()
}

// PerSecond is the rate of requests.
func (r *Report) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Requests) / r.Elapsed.Seconds()
}

func (r *Report) add(e Entry) {
	r.Entries = append(r.Entries, e)
	switch e.Status {
	case Success:
		r.Succeeded[e.Object+" "+string(e.Action)]++
	case Failure:
		r.Failed[e.Code]++
	case Skipped:
		r.SkippedObjects++
	}
}

// WriteTable writes the summary for people.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s cycle\t%d in scope\t%s\n", r.Kind, r.InScope, r.Elapsed.Round(time.Millisecond))
	for _, what := range slices.Sorted(maps.Keys(r.Succeeded)) {
		fmt.Fprintf(t, "  %s\t%d\n", what, r.Succeeded[what])
	}
	if r.SkippedObjects > 0 {
		fmt.Fprintf(t, "  Skipped\t%d\n", r.SkippedObjects)
	}
	for _, code := range slices.Sorted(maps.Keys(r.Failed)) {
		fmt.Fprintf(t, "  Failed: %s\t%d\n", code, r.Failed[code])
	}
	if r.Escrowed > 0 {
		fmt.Fprintf(t, "  In escrow\t%d\n", r.Escrowed)
	}
	for _, method := range slices.Sorted(maps.Keys(r.ByMethod)) {
		var by []string
		for _, status := range slices.Sorted(maps.Keys(r.ByMethod[method])) {
			by = append(by, fmt.Sprintf("%d×%d", status, r.ByMethod[method][status]))
		}
		fmt.Fprintf(t, "  %s\t%s\n", method, strings.Join(by, " "))
	}
	fmt.Fprintf(t, "  Requests\t%d\t%.0f/s, p50 %s, p99 %s\n", r.Requests, r.PerSecond(),
		r.P50.Round(10*time.Microsecond), r.P99.Round(10*time.Microsecond))
	switch q := r.Quarantine; {
	case q.Disabled:
		fmt.Fprintf(t, "  Disabled\t%s for 28 days\n", q.Reason)
	case q.Quarantined():
		fmt.Fprintf(t, "  Quarantine\t%s\tnext try %s\n", q.Reason, q.NextTry.Format(time.RFC3339))
	}
	return t.Flush()
}
