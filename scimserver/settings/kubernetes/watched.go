package kubernetes

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// watched is one object, followed by its name. The server's Role allows no more than that: its resourceNames apply to
// a list or watch whose field selector is metadata.name.
type watched struct {
	client                    rest.Interface
	resource, namespace, name string
	// expected is an empty object of the kind.
	expected runtime.Object
	events   chan<- event

	// stop and failing are the follower's: what ends the watch, and whether the last request failed.
	stop    context.CancelFunc
	failing bool
}

// event is what a watched object has to tell.
type event struct {
	from *watched
	// seen says that object is how it is now, nil where it is not there.
	seen   bool
	object runtime.Object
	// failure is why the API server could not be asked; where it is nil, the API server answered.
	failure error
}

// run follows the object until ctx is done.
func (w *watched) run(ctx context.Context) {
	reflector := cache.NewReflectorWithOptions(single{w.listWatch()}, w.expected, store{ctx, w}, cache.ReflectorOptions{
		Name:            w.name,
		TypeDescription: w.resource,
	})
	reflector.RunWithContext(ctx)
}

func (w *watched) tell(ctx context.Context, e event) {
	e.from = w
	select {
	case w.events <- e:
	case <-ctx.Done():
	}
}

func (w *watched) listWatch() *cache.ListWatch {
	request := func(options metav1.ListOptions) *rest.Request {
		options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, w.name).String()
		return w.client.Get().Namespace(w.namespace).Resource(w.resource).VersionedParams(&options, metav1.ParameterCodec)
	}
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			if options.ResourceVersion == "0" {
				// A cache that is behind would show UserDefaults as gone that the tenant's status already names.
				options.ResourceVersion = ""
			}
			list, err := request(options).Do(ctx).Get()
			w.tell(ctx, event{failure: err})
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.Watch = true
			stream, err := request(options).Watch(ctx)
			w.tell(ctx, event{failure: err})
			return stream, err
		},
	}
}

// single is a ListWatch that lists before it watches. A streaming list has nothing to offer for one object, and the
// reflector's way to it does not end with its context while it waits to try again.
type single struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported is how the reflector asks.
func (single) IsWatchListSemanticsUnSupported() bool { return true }

// store is where the reflector puts the object.
type store struct {
	ctx context.Context
	*watched
}

func (s store) Add(object any) error    { return s.Update(object) }
func (s store) Resync() error           { return nil }
func (s store) Delete(any) error        { return s.Replace(nil, "") }
func (s store) Update(object any) error { return s.Replace([]any{object}, "") }

func (s store) Replace(objects []any, _ string) error {
	e := event{seen: true}
	for _, object := range objects {
		e.object, _ = object.(runtime.Object)
	}
	s.tell(s.ctx, e)
	return nil
}
