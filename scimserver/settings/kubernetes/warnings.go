package kubernetes

import (
	"context"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	// miscellaneous is the code of a warning that is to be told to people (RFC 7234 section 5.5.7). The API server sends no other.
	miscellaneous = 299
	// mostWarnings is how many warnings are told in the life of a process: admission may put what it likes into their text.
	mostWarnings = 20
)

// warnings logs each warning of the API server once. One of many has a meaning of its own: the status has fields that the cluster's CRD lacks,
// and each of them is another warning at each report.
type warnings struct {
	log logr.Logger

	mu   sync.Mutex
	told map[string]bool
}

var _ rest.WarningHandlerWithContext = (*warnings)(nil)

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _, text string) {
	if code != miscellaneous || text == "" {
		return
	}
	about := text
	if strings.HasPrefix(text, "unknown field") {
		about = "unknown field"
	}
	w.mu.Lock()
	known := w.told[about] || len(w.told) >= mostWarnings
	if !known {
		w.told[about] = true
	}
	w.mu.Unlock()
	switch {
	case known:
	case about != text:
		w.log.Error(nil, "The API server drops what this server reports, because the CRD "+tenantResource+"."+v1alpha1.GroupName+
			" of the cluster is older than this version of Tenantry: apply that of this version. The operator's log names all fields that it lacks.",
			"warning", text)
	default:
		w.log.Info("The API server warns", "warning", text)
	}
}

func newWarnings(log logr.Logger) *warnings { return &warnings{log: log, told: map[string]bool{}} }
