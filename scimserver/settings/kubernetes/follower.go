package kubernetes

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/internal/outage"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// follower makes snapshots of what the watches tell. It belongs to the goroutine of Run.
type follower struct {
	source  *Source
	log     logr.Logger
	events  chan event
	watches sync.WaitGroup
	file    lastKnownGood

	tenantWatch, verifierWatch *watched
	defaultsWatches            map[string]*watched

	tenant    *v1alpha1.ProvisioningTenant
	verifiers *token.Set
	// defaults by name, nil where there are none of the name; a name is missing until the API server has answered.
	defaults map[string]*v1alpha1.UserDefaults

	// good is the last known good snapshot until that or a newer one is published.
	good *settings.Snapshot
	// silent are the watches that cannot ask the API server. One line of the log tells of all of them.
	silent map[*watched]bool
	// published is the encoding of the snapshot in force.
	published []byte
	// unkept is the time in which it cannot be written to the file.
	unkept outage.Outage
}

func newFollower(s *Source) *follower {
	return &follower{
		source:          s,
		log:             s.options.Log.WithValues("namespace", s.options.Namespace, "tenant", s.options.Tenant),
		events:          make(chan event),
		file:            lastKnownGood{path: filepath.Join(s.options.DataDir, LastKnownGoodFile)},
		defaultsWatches: map[string]*watched{},
		defaults:        map[string]*v1alpha1.UserDefaults{},
		silent:          map[*watched]bool{},
	}
}

func (f *follower) start(ctx context.Context) {
	f.good = f.readFile()
	options := f.source.options
	f.tenantWatch = f.watch(ctx, f.source.clients.tenantry, tenantResource, options.Tenant, &v1alpha1.ProvisioningTenant{})
	f.verifierWatch = f.watch(ctx, f.source.clients.core, "secrets", options.Tenant+v1alpha1.VerifierSuffix, &corev1.Secret{})
}

// readFile returns the last known good settings, nil where there are none to be used. Those of another tenant are on each volume that is taken up.
func (f *follower) readFile() *settings.Snapshot {
	const unused = "The last known good settings cannot be used; they are written anew when the API server has answered"
	good, err := f.file.load(f.source.options.Namespace, f.source.options.Tenant, f.source.options.TenantUID)
	switch {
	case errors.Is(err, errAnothers):
		f.log.Info(unused, "reason", err.Error())
	case err != nil:
		f.log.Error(err, unused)
	}
	return good
}

func (f *follower) watch(ctx context.Context, client rest.Interface, resource, name string, expected runtime.Object) *watched {
	ctx, stop := context.WithCancel(ctx)
	w := &watched{
		client: client, resource: resource, namespace: f.source.options.Namespace, name: name,
		expected: expected, events: f.events, stop: stop,
	}
	f.watches.Go(func() { w.run(ctx) })
	return w
}

// take notes what a watch tells and returns whether that may make another snapshot.
func (f *follower) take(ctx context.Context, e event) bool {
	log := f.log.WithValues("resource", e.from.resource, "name", e.from.name)
	switch {
	case e.failure != nil:
		f.takeFailure(log, e)
		return false
	case e.from.failing:
		e.from.failing = false
		if f.silent[e.from] {
			f.hear(log, e.from)
		} else {
			log.Info("The API server answers again")
		}
	}
	if !e.seen {
		return false
	}
	switch e.from {
	case f.tenantWatch:
		f.takeTenant(ctx, log, e.object)
	case f.verifierWatch:
		f.takeVerifiers(log, e.object)
	case f.defaultsWatches[e.from.name]:
		f.takeDefaults(e.from.name, e.object)
	default: // the last words of a watch that was stopped
		return false
	}
	return true
}

func (f *follower) takeFailure(log logr.Logger, e event) {
	f.fallBack()
	stopped := e.from != f.tenantWatch && e.from != f.verifierWatch && e.from != f.defaultsWatches[e.from.name]
	if e.from.failing || stopped {
		return
	}
	e.from.failing = true
	switch {
	case apierrors.IsForbidden(e.failure):
		log.Error(e.failure, "The API server refuses to show this object: check that a RoleBinding gives this server's ServiceAccount "+
			"a Role with the verbs list and watch for this resource, with this name in resourceNames")
	case apierrors.IsUnauthorized(e.failure):
		log.Error(e.failure, "The API server does not know this server: check that its ServiceAccount exists and that its token is mounted")
	case apierrors.IsNotFound(e.failure):
		log.Error(e.failure, "The API server does not know this resource: check that the CustomResourceDefinitions of "+
			v1alpha1.SchemeGroupVersion.String()+" are installed")
	default:
		if len(f.silent) == 0 {
			f.source.away.Store(true)
			log.Error(e.failure, "The API server cannot be asked; it is tried again, and the settings in force stay")
		}
		f.silent[e.from] = true
	}
}

// hear takes notice that a watch has an answer again, or was stopped. The last to have one tells.
func (f *follower) hear(log logr.Logger, from *watched) {
	if !f.silent[from] {
		return
	}
	delete(f.silent, from)
	if len(f.silent) == 0 {
		f.source.away.Store(false)
		log.Info("The API server answers again")
	}
}

func (f *follower) takeTenant(ctx context.Context, log logr.Logger, object runtime.Object) {
	tenant, ok := object.(*v1alpha1.ProvisioningTenant)
	if !ok || f.source.another(tenant) {
		if !f.source.gone.Swap(true) {
			log.Info("The tenant does not exist any more; settings that were known before stay in force")
		}
		f.forget(nil) // from now on they may be another's
		return
	}
	f.source.gone.Store(false)
	f.source.reporter.observe(tenant)
	f.source.observeProblems(tenant)
	if tenant.Status.ObservedGeneration < 0 && len(tenant.Status.Conditions) == 0 {
		// It was just made, or restored, and this server starts before the operator has named the UserDefaults: without them users of a
		// directory that was retained would lose what these gave them.
		log.Info("No operator has written the tenant's status yet; it is waited for")
		return
	}
	directory := cmp.Or(directoryIn(tenant), f.directory())
	f.tenant = &v1alpha1.ProvisioningTenant{
		ObjectMeta: essentials(tenant.ObjectMeta),
		Spec:       tenant.Spec,
		Status: v1alpha1.ProvisioningTenantStatus{
			TenantURL:      tenant.Status.TenantURL,
			AdditionalURLs: tenant.Status.AdditionalURLs,
			UserDefaults:   tenant.Status.UserDefaults,
			Class:          tenant.Status.Class,
		},
	}
	f.tenant.Spec.SetDefaults()
	f.tenant.FollowClass()
	if directory != "" {
		f.tenant.Status.Directory = &v1alpha1.DirectoryStatus{ID: directory} // the counts change all the time
	}
	if storage := tenant.Status.Storage; storage != nil && storage.AdoptedFrom != "" {
		f.tenant.Status.Storage = &v1alpha1.StorageStatus{AdoptedFrom: storage.AdoptedFrom}
	}
	f.forget(tenant.Status.UserDefaults)
	for name := range f.defaults {
		if !slices.Contains(tenant.Status.UserDefaults, name) {
			delete(f.defaults, name)
		}
	}
	for _, name := range tenant.Status.UserDefaults {
		if f.defaultsWatches[name] == nil {
			f.defaultsWatches[name] = f.watch(ctx, f.source.clients.tenantry, "userdefaults", name, &v1alpha1.UserDefaults{})
		}
	}
}

// forget ends the watches of all UserDefaults but the named ones.
func (f *follower) forget(but []string) {
	for name, w := range f.defaultsWatches {
		if !slices.Contains(but, name) {
			w.stop()
			f.hear(f.log, w)
			delete(f.defaultsWatches, name)
		}
	}
}

// directory is the id of the directory that the tenant was last known to have, "" for none. A status that lost it must not make an empty
// directory of one that is missing.
func (f *follower) directory() string {
	switch {
	case f.tenant != nil:
		return directoryIn(f.tenant)
	case f.good != nil && f.source.tenantUID() == f.good.Tenant.UID:
		return directoryIn(f.good.Tenant)
	}
	return ""
}

func directoryIn(tenant *v1alpha1.ProvisioningTenant) string {
	if tenant.Status.Directory == nil {
		return ""
	}
	return tenant.Status.Directory.ID
}

func (f *follower) takeVerifiers(log logr.Logger, object runtime.Object) {
	secret, ok := object.(*corev1.Secret)
	if !ok {
		log.Info("The verifier Secret does not exist; tokens that were known before stay valid")
		return
	}
	if owner, uid := metav1.GetControllerOf(secret), f.source.tenantUID(); owner != nil && uid != "" && owner.UID != uid {
		log.Info("The verifier Secret is another tenant's; tokens that were known before stay valid")
		return
	}
	set, err := token.Decode(secret.Data[v1alpha1.VerifierKey])
	if err != nil {
		log.Error(err, "The verifier Secret cannot be read; tokens that were known before stay valid", "key", v1alpha1.VerifierKey)
		return
	}
	f.verifiers = &set
}

func (f *follower) takeDefaults(name string, object runtime.Object) {
	defaults, ok := object.(*v1alpha1.UserDefaults)
	if !ok || defaults.Spec.TenantRef.Name != f.source.options.Tenant {
		f.defaults[name] = nil
		return
	}
	f.defaults[name] = &v1alpha1.UserDefaults{ObjectMeta: essentials(defaults.ObjectMeta), Spec: defaults.Spec}
}

// essentials leaves out what grows, what changes without a meaning for a server, and what others may have written.
func essentials(meta metav1.ObjectMeta) metav1.ObjectMeta {
	left := metav1.ObjectMeta{Name: meta.Name, Namespace: meta.Namespace, UID: meta.UID, Generation: meta.Generation}
	if adopt, ok := meta.Annotations[v1alpha1.AdoptDirectoryAnnotation]; ok {
		left.Annotations = map[string]string{v1alpha1.AdoptDirectoryAnnotation: adopt}
	}
	return left
}

// snapshot returns what is known now, or nil while that is not enough. UserDefaults that the tenant names but that
// cannot be read yet keep the former ones in force, all of them, and hold back neither a tenant's change nor a token's.
func (f *follower) snapshot() *settings.Snapshot {
	if f.tenant == nil || f.verifiers == nil {
		return nil
	}
	s := &settings.Snapshot{Tenant: f.tenant, Verifiers: *f.verifiers}
	if len(f.defaults) < len(f.defaultsWatches) {
		former := f.source.Current()
		if former == nil {
			return nil
		}
		s.Defaults = former.Defaults
		return s
	}
	for _, defaults := range f.defaults {
		if defaults != nil {
			s.Defaults = append(s.Defaults, *defaults)
		}
	}
	settings.SortDefaults(s.Defaults)
	return s
}

// publish puts in force what is known now, where that differs from what is in force, and keeps it in the file.
func (f *follower) publish() {
	s := f.snapshot()
	if s == nil {
		return
	}
	encoded, err := encode(s)
	if err != nil {
		f.log.Error(err, "The settings cannot be encoded")
		return
	}
	if !bytes.Equal(encoded, f.published) {
		f.source.latest.Publish(s)
		f.published, f.good = encoded, nil
		f.log.Info("Settings taken from the API server",
			"generation", s.Tenant.Generation, "userDefaults", len(s.Defaults), "verifiers", len(s.Verifiers.Verifiers))
	}
	switch err, now := f.file.save(encoded), f.source.options.Now(); {
	case err == nil && f.unkept.Succeeded(now):
		f.log.Info("The settings are kept for a start without the API server again")
	case err != nil && f.unkept.Failed(now):
		f.log.Error(err, "The settings are in force but are not kept for a start without the API server; this is tried again with each change")
	}
}

// fallBack puts the last known good settings in force where there are none yet.
func (f *follower) fallBack() {
	if f.good == nil || f.source.Current() != nil {
		return
	}
	f.source.latest.Publish(f.good)
	f.published = f.file.saved
	f.log.Info("The API server has not told all settings yet; serving with the last known good ones", "file", f.file.path)
	f.good = nil
}
