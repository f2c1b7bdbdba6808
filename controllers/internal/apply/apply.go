// Package apply brings the objects of one tenant to what they should be, by server-side apply under one field manager.
// It writes nothing that is already so, and nothing over an object that is not the tenant's.
package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FieldManager is the one field manager of the operator.
const FieldManager = "tenantry-operator"

// IsOwn tells whether an entry of an object's managed fields is what this field manager applied.
func IsOwn(entry metav1.ManagedFieldsEntry) bool {
	return entry.Manager == FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply
}

// configuration is what every apply configuration of client-go has.
type configuration interface {
	runtime.ApplyConfiguration
	GetAPIVersion() *string
	GetKind() *string
	GetName() *string
	GetNamespace() *string
}

// versioned is a configuration of type C that can be bound to a version of the object.
type versioned[C any] interface {
	configuration
	WithAnnotations(entries map[string]string) C
	WithResourceVersion(version string) C
}

// noVersion is one that no object has: a configuration bound to it creates an object and changes none.
const noVersion = "9223372036854775807"

// Child is an object as it should be, and how to tell whether it is so already.
type Child struct {
	want configuration
	// bind has the API server refuse want for any other version of the object.
	bind func(version string)
	live client.Object
	// stamp writes into want the hash of what it says. nil for a Secret, whose annotations tell by themselves.
	stamp func() (intent, error)
	// unchanged compares want with live, which was read from the cache.
	unchanged func() (bool, error)
	// adoptable tells whether an object that nobody controls is the owner's all the same.
	adoptable func(metav1.Object) bool
	// existing tells that an object which is gone is not made again, and absent that one which the cache does not know is not written over.
	existing, absent bool
	// mayChange returns why live must stay as it is for now, or nil; nil itself where it never must.
	mayChange func() error
}

// New returns a child whose live object is cached with its managed fields.
func New[C versioned[C]](want C, live client.Object) Child {
	return Child{
		want: want, bind: binding(want), live: live,
		stamp: func() (intent, error) { return intend(want) },
		unchanged: func() (bool, error) {
			intent, err := intend(want)
			if err != nil {
				return false, err
			}
			return intent.stands(live)
		},
	}
}

func binding[C versioned[C]](want C) func(string) {
	return func(version string) { want.WithResourceVersion(version) }
}

// Adopting returns the child such that it takes over an object without a controller for which adoptable is true.
func (c Child) Adopting(adoptable func(metav1.Object) bool) Child {
	c.adoptable = adoptable
	return c
}

// Once returns the child such that an object that is there stays as it is, because it cannot be changed.
func (c Child) Once() Child {
	c.unchanged = func() (bool, error) { return true, nil }
	return c
}

// Existing returns the child such that an object which is gone, whatever was seen of it before, is not made again.
func (c Child) Existing() Child {
	c.existing = true
	return c
}

// Absent returns the child such that nothing is written, and Apply returns ErrUnseen, where there is an object, of which the cache had not heard
// when what is wanted was found from its absence.
func (c Child) Absent() Child {
	c.absent = true
	return c
}

// If returns the child such that an object that is there changes only if mayChange returns nil. Apply returns its error otherwise.
func (c Child) If(mayChange func() error) Child {
	c.mayChange = mayChange
	return c
}

// Kind of the object.
func (c Child) Kind() string { return ptr.Deref(c.want.GetKind(), "") }

// Name of the object.
func (c Child) Name() string { return ptr.Deref(c.want.GetName(), "") }

// UID of the object, once Apply has returned without an error.
func (c Child) UID() types.UID {
	if answer, err := metadataOf(c.want); err == nil && answer.UID != "" {
		return answer.UID
	}
	return c.live.GetUID()
}

// intent returns what is to be applied, after it was stamped with it; the zero intent for a Secret.
func (c Child) intent() (intent, error) {
	if c.stamp == nil {
		return intent{}, nil
	}
	return c.stamp()
}

// takes tells whether the child may take over an object without a controller.
func (c Child) takes(object metav1.Object) bool { return c.adoptable != nil && c.adoptable(object) }

func (c Child) key() client.ObjectKey {
	return client.ObjectKey{Namespace: ptr.Deref(c.want.GetNamespace(), ""), Name: c.Name()}
}

func (c Child) gvk() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(ptr.Deref(c.want.GetAPIVersion(), ""), c.Kind())
}

// Owner applies the children of one owner in one reconcile.
type Owner struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads past the cache.
	Live client.Reader
	// Object is the owner as the cache has it, with its kind set.
	Object *metav1.PartialObjectMetadata
	// Applied hears of each apply that was sent; nil where nobody wants to know.
	Applied func(kind string, err error)
	// Answers outlive this reconcile; nil to remember none.
	Answers *Answers
	// Labelled tells whether an object has the labels of a child. nil for none.
	Labelled func(metav1.Object) bool

	seenAlive bool
	proved    map[types.UID]bool
}

// TakeBack counts an object among the owner's if it has no controller: its content has proved that it is.
func (o *Owner) TakeBack(object metav1.Object) {
	if o.proved == nil {
		o.proved = map[types.UID]bool{}
	}
	o.proved[object.GetUID()] = true
}

// orphaned recognises a child that lost its owner, as one that was restored, or left behind by kubectl delete --cascade=orphan. Labels alone
// are no proof, because people copy them.
func (o *Owner) orphaned(object metav1.Object) bool {
	return metav1.GetControllerOf(object) == nil &&
		(o.proved[object.GetUID()] || o.Labelled != nil && o.Labelled(object) && slices.ContainsFunc(object.GetManagedFields(), IsOwn))
}

// Apply writes the child unless it is so already, and returns the generation that the object has after a write, or 0
// where none was needed. Errors are NotOursError, GoingError, ErrOwnerGone or those of the API server.
func (o *Owner) Apply(ctx context.Context, child Child) (generation int64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("apply %s %q: %w", child.Kind(), child.Name(), err)
		}
	}()
	err = o.Client.Get(ctx, child.key(), child.live)
	switch {
	case apierrors.IsNotFound(err) && child.existing:
		return 0, nil
	case apierrors.IsNotFound(err):
		if err := o.Alive(ctx); err != nil {
			return 0, err
		}
		generation, err := o.send(ctx, child, noVersion)
		switch {
		case !apierrors.IsConflict(err):
			return generation, err
		case child.absent:
			return 0, ErrUnseen
		}
		// The name is taken: by a stranger's object, or by the owner's of which the cache has not heard or may not hear.
		return o.applyLive(ctx, child)
	case err != nil:
		return 0, err
	case child.absent:
		return 0, ErrUnseen // the cache has heard of it since
	case child.live.GetDeletionTimestamp() != nil:
		return 0, &GoingError{Kind: child.Kind(), Name: child.Name(), Finalizers: child.live.GetFinalizers()}
	case metav1.GetControllerOf(child.live) == nil && child.takes(child.live):
	case !metav1.IsControlledBy(child.live, o.Object):
		// A stranger's, or one that was orphaned. The cache may be old: what counts is the object as it is now.
		return o.applyLive(ctx, child)
	}
	unchanged, err := o.unchanged(child)
	if err != nil || unchanged {
		return 0, err
	}
	if child.mayChange != nil {
		if err := child.mayChange(); err != nil {
			return 0, err
		}
	}
	return o.send(ctx, child, "")
}

// applyLive writes the child over the object as the API server has it, if it is the owner's, or in its free place.
func (o *Owner) applyLive(ctx context.Context, child Child) (int64, error) {
	version, err := o.mayWrite(ctx, child)
	if err != nil {
		return 0, err
	}
	return o.send(ctx, child, version)
}

// send applies the child if the object has that version; empty for whichever it has.
func (o *Owner) send(ctx context.Context, child Child, version string) (int64, error) {
	intent, err := child.intent()
	if err != nil {
		return 0, err
	}
	if version != "" {
		child.bind(version)
	}
	err = o.Client.Apply(ctx, child.want, client.FieldOwner(FieldManager), client.ForceOwnership)
	if o.Applied != nil {
		o.Applied(child.Kind(), err)
	}
	if err != nil {
		return 0, err
	}
	answer, err := metadataOf(child.want)
	if err != nil {
		return 0, err
	}
	o.Answers.learn(child, intent, answer.ResourceVersion)
	return answer.Generation, nil
}

// unchanged tells whether the child is as it was applied, and is to be as it is.
func (o *Owner) unchanged(child Child) (bool, error) {
	unchanged, err := child.unchanged()
	if err != nil {
		return false, err
	}
	if unchanged {
		o.Answers.forget(child)
		return true, nil
	}
	intent, err := child.intent()
	return o.Answers.stand(child, intent), err
}

// MayWrite returns nil if the name is free or the object is the owner's, asking the API server and not the cache.
func (o *Owner) MayWrite(ctx context.Context, child Child) error {
	_, err := o.mayWrite(ctx, child)
	return err
}

// mayWrite returns the one version of the object that may be written over: a forced apply would take a stranger's object over
// without a word.
func (o *Owner) mayWrite(ctx context.Context, child Child) (version string, err error) {
	found := &metav1.PartialObjectMetadata{}
	found.SetGroupVersionKind(child.gvk())
	err = o.Live.Get(ctx, child.key(), found)
	if apierrors.IsNotFound(err) {
		return noVersion, o.Alive(ctx)
	}
	if err != nil {
		return "", err
	}
	return found.ResourceVersion, o.Guard(found, child.adoptable)
}

// Guard returns nil if the object is the owner's, a GoingError if it is on its way out, and a NotOursError otherwise.
// The object must carry its kind.
func (o *Owner) Guard(found *metav1.PartialObjectMetadata, adoptable func(metav1.Object) bool) error {
	controller := metav1.GetControllerOf(found)
	switch {
	case found.DeletionTimestamp != nil:
		return &GoingError{Kind: found.Kind, Name: found.Name, Finalizers: found.Finalizers}
	case o.Owns(found, adoptable):
		return nil
	case controller != nil && controller.Kind == o.Object.Kind && controller.Name == o.Object.Name:
		// It belongs to an earlier owner of the same name; garbage collection will come for it.
		return &GoingError{Kind: found.Kind, Name: found.Name}
	default:
		stranger := &NotOursError{Kind: found.Kind, Namespace: found.Namespace, Name: found.Name, Labelled: o.Labelled != nil && o.Labelled(found)}
		if controller != nil {
			stranger.Controller = controller.Kind + " " + controller.Name
		}
		return stranger
	}
}

// Owns tells whether the owner controls the object, or nobody does and it is an orphaned one of the owner's, or adoptable takes it. That may be nil.
func (o *Owner) Owns(object metav1.Object, adoptable func(metav1.Object) bool) bool {
	if controller := metav1.GetControllerOf(object); controller != nil {
		return controller.UID == o.Object.UID
	}
	return adoptable != nil && adoptable(object) || o.orphaned(object)
}

// Alive returns ErrOwnerGone where the owner was deleted since the cache last heard of it, so that nothing is created
// for it that nobody would clean up. It asks once.
func (o *Owner) Alive(ctx context.Context) error {
	if o.seenAlive {
		return nil
	}
	now := &metav1.PartialObjectMetadata{}
	now.SetGroupVersionKind(o.Object.GroupVersionKind())
	if err := o.Live.Get(ctx, client.ObjectKeyFromObject(o.Object), now); err != nil {
		if apierrors.IsNotFound(err) {
			return ErrOwnerGone
		}
		return err
	}
	if now.UID != o.Object.UID || now.DeletionTimestamp != nil {
		return ErrOwnerGone
	}
	o.seenAlive = true
	return nil
}

// Prune deletes the objects in lists that are the owner's, orphaned ones among them, and that are not in keep. Each list is a kind; the cache
// has an index by controller for it.
func (o *Owner) Prune(ctx context.Context, keep []Child, lists ...client.ObjectList) error {
	type id struct{ kind, name string }
	wanted := make(map[id]bool, len(keep))
	for _, child := range keep {
		wanted[id{child.Kind(), child.Name()}] = true
	}
	for _, list := range lists {
		for _, of := range []string{string(o.Object.UID), OrphansOf(o.Object.Name)} {
			if err := o.Client.List(ctx, list, client.InNamespace(o.Object.Namespace), client.MatchingFields{ControllerIndex: of}); err != nil {
				return fmt.Errorf("list what the tenant owns: %w", err)
			}
			objects, err := objectsOf(list, o.Client.Scheme())
			if err != nil {
				return err
			}
			for kind, object := range objects {
				if wanted[id{kind, object.GetName()}] || object.GetDeletionTimestamp() != nil || !o.Owns(object, nil) {
					continue
				}
				if err := o.Delete(ctx, kind, object); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Delete deletes an object that the owner controls and that is no longer wanted, if it is still as it was read.
func (o *Owner) Delete(ctx context.Context, kind string, object client.Object) error {
	// Both preconditions: never delete a newer object of the same name, nor one that was given away since.
	err := o.Client.Delete(ctx, object, client.Preconditions{UID: new(object.GetUID()), ResourceVersion: new(object.GetResourceVersion())},
		client.PropagationPolicy(metav1.DeletePropagationBackground)) // a Job would leave its pods
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s %q, which is no longer wanted: %w", kind, object.GetName(), err)
	}
	return nil
}

// metadataOf reads the metadata from an apply configuration, into which the client put the server's answer.
func metadataOf(answer any) (*metav1.PartialObjectMetadata, error) {
	data, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	var object metav1.PartialObjectMetadata
	return &object, json.Unmarshal(data, &object)
}
