package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	clientgoapply "k8s.io/client-go/applyconfigurations"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	ourapply "github.com/tenantry/tenantry/api/v1alpha1/applyconfiguration"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/entra"
	"github.com/tenantry/tenantry/controllers/rollout"
)

// fault is what happens to one write.
type fault string

const (
	conflict            fault = "conflict"
	serverError         fault = "500"
	forbidden           fault = "forbidden"
	timeoutAfterSuccess fault = "timeout after success"
	crashBefore         fault = "crash before"
	crashAfter          fault = "crash after"
)

// simulated is a cluster in memory in which one write can go wrong. The fake client has no admission and no schema, so it
// proves the order of writes and nothing about the API server.
type simulated struct {
	*testing.T
	client.WithWatch
	now *clocktesting.FakePassiveClock

	move              batchv1.JobConditionType // how the Job of a move ends
	class             *string                  // of Ingresses that name none, as far as one may ask
	classRefused      error                    // in its place
	classAsked        int                      // how often it was asked for
	image             string                   // of the server, by the operator that looks
	upgrades          int                      // how many that operator lets restart at a time
	writes, liveReads int
	failAt            int
	fault             fault
	denied            map[string]bool     // names of Secrets that the API server denies
	tokens            map[string][]string // every credential that was ever stored, by its key
	taken, ended      map[string]bool     // fingerprints of what the server took once, and of what it took and takes no more
}

type crash struct{}

// withoutStatus keeps the status out of an apply: the fake client would make whoever applies an object again the owner of its
// status, and gives one to a NetworkPolicy, which has none.
type withoutStatus struct{ managedfields.TypeConverter }

func (c withoutStatus) ObjectToTyped(object runtime.Object, opts ...typed.ValidationOptions) (*typed.TypedValue, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	content = runtime.DeepCopyJSON(content)
	delete(content, "status")
	return c.TypeConverter.ObjectToTyped(&unstructured.Unstructured{Object: content}, opts...)
}

// simulatedScheme has the kinds that the tests ask for and no others: the fake client makes a REST mapper of all of them with each
// write.
func simulatedScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	all, few := runtime.NewScheme(), runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, networkingv1.AddToScheme, rbacv1.AddToScheme, autoscalingv2.AddToScheme, policyv1.AddToScheme, batchv1.AddToScheme,
		coordinationv1.AddToScheme, discoveryv1.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme,
	} {
		if err := add(all); err != nil {
			t.Fatal(err)
		}
	}
	objects := append(controlled(), &corev1.Secret{}, &corev1.PersistentVolumeClaim{}, &corev1.Namespace{}, &gatewayv1.HTTPRoute{},
		&v1alpha1.ProvisioningTenant{}, &v1alpha1.UserDefaults{}, &coordinationv1.Lease{}, &discoveryv1.EndpointSlice{})
	for _, object := range objects {
		kinds, _, err := all.ObjectKinds(object)
		if err != nil {
			t.Fatal(err)
		}
		listKind := kinds[0].GroupVersion().WithKind(kinds[0].Kind + "List")
		list, err := all.New(listKind)
		if err != nil {
			t.Fatal(err)
		}
		few.AddKnownTypeWithName(kinds[0], object)
		few.AddKnownTypeWithName(listKind, list)
	}
	return few
}

func simulate(t *testing.T, objects ...client.Object) *simulated {
	t.Helper()
	scheme := simulatedScheme(t)
	s := &simulated{T: t, move: batchv1.JobComplete, image: "scimserver:test", upgrades: 1, tokens: map[string][]string{}, taken: map[string]bool{}, ended: map[string]bool{}, now: clocktesting.NewFakePassiveClock(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithReturnManagedFields().
		WithStatusSubresource(&v1alpha1.ProvisioningTenant{}, &v1alpha1.UserDefaults{}, &appsv1.Deployment{}, &corev1.PersistentVolumeClaim{}, &networkingv1.Ingress{}, &batchv1.Job{}).
		WithIndex(&v1alpha1.ProvisioningTenant{}, hostIndex, indexHost("")).
		WithIndex(&networkingv1.Ingress{}, routeIndex, indexRoute).
		WithIndex(&v1alpha1.UserDefaults{}, tenantIndex, indexTenant).
		WithIndex(&coordinationv1.Lease{}, holderIndex, indexHolder).
		WithIndex(&appsv1.Deployment{}, upgradingIndex, indexUpgrading).
		WithTypeConverters(withoutStatus{clientgoapply.NewTypeConverter(scheme)}, ourapply.NewTypeConverter(scheme)).
		WithObjects(objects...)
	for _, kind := range controlled() {
		builder.WithIndex(kind, apply.ControllerIndex, apply.IndexController(v1alpha1.TenantLabel))
	}
	s.WithWatch = builder.WithInterceptorFuncs(interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if secret, ok := o.(*corev1ac.SecretApplyConfiguration); ok && s.denied[*secret.Name] {
				return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, *secret.Name, errors.New("exceeded quota"))
			}
			return s.write(func() error { return applyVersion(ctx, c, o, opts...) })
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if ingress, ok := o.(*networkingv1.Ingress); ok && len((&client.CreateOptions{}).ApplyOptions(opts).DryRun) > 0 {
				s.classAsked++
				ingress.Spec.IngressClassName = s.class
				return s.classRefused
			}
			if _, isLease := o.(*coordinationv1.Lease); !isLease {
				return c.Create(ctx, o, opts...) // the test's own
			}
			return s.write(func() error { return c.Create(ctx, o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			if _, isLease := o.(*coordinationv1.Lease); !isLease {
				return c.Update(ctx, o, opts...) // the test's own
			}
			return s.write(func() error { return c.Update(ctx, o, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return s.write(func() error { return c.Delete(ctx, o, opts...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			return s.write(func() error { return c.SubResource(sub).Patch(ctx, o, p, opts...) })
		},
	}).Build()
	return s
}

// applyVersion applies like the API server, which lets a version that no object has create one; the fake client refuses that.
func applyVersion(ctx context.Context, c client.Client, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	err := c.Apply(ctx, o, opts...)
	if !apierrors.IsBadRequest(err) {
		return err
	}
	if err := json.Unmarshal([]byte(`{"metadata":{"resourceVersion":""}}`), o); err != nil {
		return err
	}
	return c.Apply(ctx, o, opts...)
}

func (s *simulated) write(do func() error) error {
	s.writes++
	if s.writes != s.failAt {
		err := do()
		s.look()
		return err
	}
	resource := schema.GroupResource{Resource: "things"}
	switch s.fault {
	case conflict:
		return apierrors.NewConflict(resource, "x", errors.New("the object has been modified"))
	case serverError:
		return apierrors.NewInternalError(errors.New("etcd is away"))
	case forbidden:
		return apierrors.NewForbidden(resource, "x", errors.New("quota"))
	case crashBefore:
		panic(crash{})
	case timeoutAfterSuccess, crashAfter:
		if err := do(); err != nil {
			return err
		}
		s.look()
		if s.fault == crashAfter {
			panic(crash{})
		}
		return apierrors.NewTimeoutError("no answer in time", 1)
	default:
		s.Fatalf("unknown fault %q", s.fault)
		return nil
	}
}

// handed are the plaintexts that Secrets hold now, by the key of the credential.
func (s *simulated) handed() map[string]string {
	s.Helper()
	var secrets corev1.SecretList
	s.must(s.List(context.Background(), &secrets))
	found := map[string]string{}
	for _, secret := range secrets.Items {
		_, reader, isReaders := strings.Cut(secret.Name, v1alpha1.ReaderInfix)
		for key, value := range secret.Data {
			switch plaintext := strings.TrimSpace(string(value)); {
			case token.Check(plaintext) != nil:
			case isReaders:
				found[v1alpha1.CredentialsReaderPrefix+reader] = plaintext
			default:
				found[key] = plaintext
			}
		}
	}
	return found
}

// copyAndDelete deletes every Secret that hands out a credential, as one may after copying.
func (s *simulated) copyAndDelete() {
	s.Helper()
	for _, credential := range token.Wanted(s.tenant()) {
		name, _ := credential.Secret("contoso")
		s.must(client.IgnoreNotFound(s.WithWatch.Delete(s.Context(), s.secret(name))))
	}
}

// look remembers what the Secrets hold, and asserts what must be true whenever somebody looks: nobody is let in to whom nothing
// was handed over, and whoever was locked out stays out.
func (s *simulated) look() {
	s.Helper()
	s.lookAtMove()
	for key, plaintext := range s.handed() {
		if !slices.Contains(s.tokens[key], plaintext) {
			s.tokens[key] = append(s.tokens[key], plaintext)
		}
	}
	taken := map[string]bool{}
	for _, v := range s.verifiers().Verifiers {
		taken[v.Fingerprint()] = true
		if s.ended[v.Fingerprint()] {
			s.Errorf("the server takes %s again, which had ended", v.ID)
		}
	}
	if len(taken) == 0 {
		return // the Secret was not written yet
	}
	for _, plaintexts := range s.tokens {
		for _, plaintext := range plaintexts {
			fingerprint := token.Fingerprint(plaintext)
			s.ended[fingerprint] = s.ended[fingerprint] || s.taken[fingerprint] && !taken[fingerprint]
			delete(taken, fingerprint)
		}
	}
	for fingerprint := range taken {
		s.Errorf("the server takes a credential with the fingerprint %s that nobody was given", fingerprint)
	}
	for _, v := range s.verifiers().Verifiers {
		s.taken[v.Fingerprint()] = true
	}
}

// liveReader counts reads past the cache.
type liveReader struct{ s *simulated }

func (r liveReader) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	r.s.liveReads++
	return r.s.WithWatch.Get(ctx, key, o, opts...)
}

func (r liveReader) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	r.s.liveReads++
	return r.s.WithWatch.List(ctx, l, opts...)
}

type noEvents struct{}

func (noEvents) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}

// reconcile lets a new operator, which remembers nothing, look at the tenant once. It reports whether it crashed.
func (s *simulated) reconcile() (crashed bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ours := r.(crash); !ours {
				panic(r)
			}
			crashed = true
		}
	}()
	_, err = s.operator().Reconcile(s.Context(), theTenant)
	return false, err
}

var theTenant = ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "customers", Name: "contoso"}}

// operator is one that just started.
func (s *simulated) operator() *ProvisioningTenantReconciler {
	options := Options{
		ServerImage: s.image, Clock: s.now,
		Random:         rand.NewChaCha8([32]byte{byte(s.writes)}),
		LeaseNamespace: "tenantry-system", HostReservation: 24 * time.Hour,
		CheckFilter:    func(v1alpha1.Schema, string) error { return nil },
		CheckAttribute: func(v1alpha1.Schema, string, string) error { return nil },
	}
	return &ProvisioningTenantReconciler{
		Client: s, Live: liveReader{s}, Events: noEvents{}, Options: options,
		Entra: entra.NewVerifier(nil, nil, logr.Discard()), Upgrades: rollout.NewLimiter(s.upgrades, s.image),
	}
}

// settle reconciles until nothing is written any more, with everything outside working at once.
func (s *simulated) settle() {
	s.Helper()
	for range 20 {
		before := s.writes
		crashed, _ := s.reconcile()
		s.pretend()
		if !crashed && s.writes == before {
			return
		}
	}
	s.Fatal("the tenant does not settle within 20 reconciles")
}

// pretend makes the Deployment available, the claim bound and the Ingress admitted, and ends the Job of a move.
func (s *simulated) pretend() {
	key := func(suffix string) client.ObjectKey {
		return client.ObjectKey{Namespace: "customers", Name: "contoso" + suffix}
	}
	var deployment appsv1.Deployment
	if s.WithWatch.Get(s.Context(), key("-scim"), &deployment) == nil && (deployment.Generation == 0 || deployment.Status.ObservedGeneration != deployment.Generation) {
		if deployment.Generation == 0 { // the fake client does not count generations
			deployment.Generation = 1
			s.must(s.WithWatch.Update(s.Context(), &deployment))
		}
		replicas := ptr.Deref(deployment.Spec.Replicas, 1)
		deployment.Status = appsv1.DeploymentStatus{
			ObservedGeneration: deployment.Generation, Replicas: replicas, UpdatedReplicas: replicas, AvailableReplicas: replicas,
			Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue}},
		}
		s.must(s.Status().Update(s.Context(), &deployment))
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso-scim", Labels: map[string]string{discoveryv1.LabelServiceName: "contoso-scim"}},
			Endpoints:  []discoveryv1.Endpoint{{Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
		}
		s.must(client.IgnoreAlreadyExists(s.Create(s.Context(), slice)))
	}
	var claim corev1.PersistentVolumeClaim
	if s.WithWatch.Get(s.Context(), key("-data"), &claim) == nil && claim.Status.Phase != corev1.ClaimBound {
		claim.Status.Phase = corev1.ClaimBound
		s.must(s.Status().Update(s.Context(), &claim))
	}
	for suffix, ends := range map[string]batchv1.JobConditionType{"-connect": batchv1.JobComplete, "-move": s.move} {
		var job batchv1.Job
		if s.WithWatch.Get(s.Context(), key(suffix), &job) == nil {
			job.Status.Conditions = []batchv1.JobCondition{{Type: ends, Status: corev1.ConditionTrue}}
			s.must(s.Status().Update(s.Context(), &job))
		}
	}
	var ingress networkingv1.Ingress
	if s.WithWatch.Get(s.Context(), key("-scim"), &ingress) == nil && len(ingress.Status.LoadBalancer.Ingress) == 0 {
		ingress.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
		s.must(s.Status().Update(s.Context(), &ingress))
	}
}
