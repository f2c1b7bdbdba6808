// Package manifests takes a server's settings from a folder of YAML files, for a laptop, tests and benchmarks: the
// same ProvisioningTenant, its class, UserDefaults and Secrets that one would apply to a cluster.
//
// It does to them as the API server would, as far as a SCIM server notices: unknown and repeated fields are
// errors, defaults are filled in, and the fields that a server reads are validated. Those that only the operator reads (exposure,
// the volume, placement) are not validated, and are named in the log. It also does as the operator would: names that are not in the tenant's
// catalog are refused, a tenant without a token receives one, and the Secret with the connection URL of a database is
// followed (see Source.DatabaseURL).
package manifests

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/scimserver/settings"
)

// interval is how often the folder is read. A change counts when two readings agree on it, so that half a file is not
// taken for a whole one. Reading is cheaper than it sounds, and unlike a notification it works on every file system
// and on the links of a mounted ConfigMap.
const interval = 500 * time.Millisecond

// Options of a Source.
type Options struct {
	// Dir is the folder whose .yaml, .yml and .json files are read. Subfolders and hidden files are not.
	Dir string
	// Tenant is the name of the ProvisioningTenant to serve. It may be empty where the folder has only one.
	Tenant string
	// Namespace is the namespace to look at, and that of objects that name none. Default: every namespace is looked
	// at, and an object that names none is in "default".
	Namespace string
	// DataDir is an existing folder, in which a token that is missing is created, and the certificates of a connection Secret are kept.
	DataDir string
	// StorageByFlag tells that a flag says where the directory is kept, so that spec.storage is not followed.
	StorageByFlag bool
	// CheckURL says whether a connection URL can be read, without repeating it. Optional.
	CheckURL func(url string) error
	// Listen is the address on which clients are served, host:port, as the listener has it; it makes the base URL.
	Listen string
	// Check says whether the server can work with a snapshot, so that one that it cannot work with is treated as a
	// broken edit. Optional.
	Check func(*settings.Snapshot) error
	// Log gets what is loaded and what is wrong; never a token.
	Log logr.Logger
}

// Source is a settings.Source over a folder.
type Source struct {
	options Options
	latest  settings.Latest
	loaded  folder // by Load
	url     atomic.Pointer[string]
	problem atomic.Pointer[string]
	// interval is the constant, except in tests.
	interval time.Duration
}

var _ settings.Source = (*Source)(nil)

// New returns a Source. Nothing is read before Load or Run.
func New(options Options) *Source {
	return &Source{options: options, interval: interval}
}

// Load reads the folder and returns an error where that does not give a snapshot. Run does so by itself; it is for whoever has to know
// before where the directory is kept.
func (s *Source) Load() error {
	files, err := read(s.options.Dir)
	if err == nil {
		err = s.load(files)
	}
	if err == nil {
		s.loaded = files
	}
	return err
}

// Run loads the folder unless Load did, and returns that error. From then on it follows changes until ctx is done; an edit that
// gives no snapshot is logged, and the last good one stays.
func (s *Source) Run(ctx context.Context) error {
	if s.Current() == nil {
		if err := s.Load(); err != nil {
			return err
		}
	}
	loaded := s.loaded
	log := s.options.Log.WithValues("folder", s.options.Dir)
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	pending, unreadable := loaded, ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now, err := read(s.options.Dir)
		if err != nil {
			if unreadable != err.Error() {
				unreadable = err.Error()
				log.Error(err, unread)
				s.have(unread)
			}
			continue
		}
		if unreadable != "" {
			unreadable, loaded = "", folder{} // and what is there now is looked at anew
		}
		settled := now.equal(pending)
		pending = now
		if !settled || now.equal(loaded) {
			continue
		}
		loaded = now
		if err := s.load(now); err != nil {
			log.Error(err, refused)
			s.have(refused)
		}
	}
}

const (
	unread  = "The manifests cannot be read; the settings in force stay"
	refused = "The changed manifests are not good; the settings in force stay"
)

func (s *Source) have(problem string) {
	problem += "; the server's log says what is wrong" // with values that anybody who asks whether the server is ready need not see
	s.problem.Store(&problem)
}

// Problem says what is wrong with manifests that are newer than the settings in force, "" if nothing is.
func (s *Source) Problem() string {
	if problem := s.problem.Load(); problem != nil {
		return *problem
	}
	return ""
}

// load publishes the snapshot that the files make.
func (s *Source) load(files folder) error {
	found, err := s.snapshot(files)
	if err != nil {
		return err
	}
	snapshot := found.snapshot
	if s.options.Check != nil {
		if err := s.options.Check(snapshot); err != nil {
			return fmt.Errorf("%s: %w", s.options.Dir, err)
		}
	}
	s.url.Store(found.url)
	s.problem.Store(nil)
	before := s.latest.Current()
	s.latest.Publish(snapshot)
	if before != nil && before.Verifiers.Epoch() != snapshot.Verifiers.Epoch() {
		s.options.Log.Info("All access tokens that were issued until now have ended", "annotation", endTokens)
	}
	s.options.Log.Info("Settings taken from manifests", "folder", s.options.Dir, "namespace", snapshot.Tenant.Namespace,
		"tenant", snapshot.Tenant.Name, "userDefaults", len(snapshot.Defaults), "baseURL", snapshot.BaseURL(), "credentials", found.credentials)
	s.tellClass(snapshot.Tenant, found.class)
	if len(found.ignored) > 0 {
		s.options.Log.Info("This has no effect here: the operator follows it, or a flag says otherwise", "fields", found.ignored)
	}
	if readers := serviceAccountReaders(snapshot.Tenant); len(readers) > 0 {
		s.options.Log.Info("These readers cannot be let in: only a server in a cluster can check the tokens of its ServiceAccounts. "+
			"Without serviceAccount they get tokens here", "readers", readers)
	}
	return nil
}

// Current implements settings.Source.
func (s *Source) Current() *settings.Snapshot { return s.latest.Current() }

// Changed implements settings.Source.
func (s *Source) Changed() <-chan struct{} { return s.latest.Changed() }
