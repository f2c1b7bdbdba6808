package testenv

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// HoldLabel on a namespace keeps the fake kubelet out of it: there nothing becomes available, bound or admitted unless
// the test says so.
const HoldLabel = "testenv/hold"

// startKubelet does what a node, a volume provisioner and an ingress controller would: every Deployment becomes
// available, every claim bound, every Ingress admitted. Where controllers make pods, these run, and the controllers see to the Deployments.
func (c *Cluster) startKubelet(ctx context.Context, scheme *runtime.Scheme, pods bool) error {
	mgr, err := ctrl.NewManager(c.Config, manager.Options{
		Scheme:     scheme,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		return fmt.Errorf("make the fake kubelet: %w", err)
	}
	kinds := map[string]client.Object{
		"deployments": &appsv1.Deployment{}, "claims": &corev1.PersistentVolumeClaim{}, "ingresses": &networkingv1.Ingress{},
	}
	if pods {
		delete(kinds, "deployments")
		kinds["pods"] = &corev1.Pod{}
	}
	for name, kind := range kinds {
		pretend := reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
			object, _ := kind.DeepCopyObject().(client.Object)
			if err := mgr.GetClient().Get(ctx, request.NamespacedName, object); err != nil {
				return reconcile.Result{}, client.IgnoreNotFound(err)
			}
			var namespace corev1.Namespace
			if err := mgr.GetClient().Get(ctx, client.ObjectKey{Name: request.Namespace}, &namespace); err != nil {
				return reconcile.Result{}, err
			}
			if _, held := namespace.Labels[HoldLabel]; held {
				return reconcile.Result{}, nil
			}
			return reconcile.Result{}, client.IgnoreNotFound(Pretend(ctx, mgr.GetClient(), object))
		})
		if err := ctrl.NewControllerManagedBy(mgr).Named("kubelet-" + name).For(kind).Complete(pretend); err != nil {
			return fmt.Errorf("make the fake kubelet: %w", err)
		}
	}
	go func() {
		if err := mgr.Start(ctx); err != nil {
			panic(fmt.Sprintf("the fake kubelet ended: %v", err))
		}
	}()
	return nil
}

// Pretend makes a Deployment available, a claim bound, an Ingress admitted, a pod run, or one of a Job end well. A Job without pods is ended by
// EndJob alone.
func Pretend(ctx context.Context, c client.Client, object client.Object) error {
	before, _ := object.DeepCopyObject().(client.Object)
	if !changes(object) {
		return nil
	}
	server := ""
	switch object := object.(type) {
	case *appsv1.Deployment:
		server = object.Name
	case *corev1.Pod:
		server = desired.ServerName(object.Labels[v1alpha1.TenantLabel])
	}
	if server != "" {
		if err := endpoints(ctx, c, client.ObjectKey{Namespace: object.GetNamespace(), Name: server}); err != nil {
			return err
		}
	}
	return c.Status().Patch(ctx, object, client.MergeFrom(before))
}

// AtRest fails for an object in the namespace that the fake kubelet has yet to do something for.
func AtRest(ctx context.Context, c client.Client, name string) error {
	var namespace corev1.Namespace
	if err := c.Get(ctx, client.ObjectKey{Name: name}, &namespace); err != nil {
		return err
	}
	if _, held := namespace.Labels[HoldLabel]; held {
		return nil
	}
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &corev1.PersistentVolumeClaimList{}, &networkingv1.IngressList{}} {
		if err := c.List(ctx, list, client.InNamespace(name)); err != nil {
			return err
		}
		if err := meta.EachListItem(list, func(item runtime.Object) error {
			if object, ok := item.(client.Object); ok && changes(object) {
				return fmt.Errorf("the fake kubelet has yet to look at %T %s", object, object.GetName())
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// changes sets the status that the object is to have, and tells whether it had another.
func changes(object client.Object) bool {
	before := object.DeepCopyObject()
	switch object := object.(type) {
	case *appsv1.Deployment:
		n := ptr.Deref(object.Spec.Replicas, 1)
		object.Status = appsv1.DeploymentStatus{
			ObservedGeneration: object.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n,
			Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicasAvailable"}},
		}
	case *corev1.PersistentVolumeClaim:
		if object.Status.Phase == corev1.ClaimLost {
			return false // for good
		}
		object.Status.Phase = corev1.ClaimBound
		object.Status.Capacity = object.Spec.Resources.Requests
	case *corev1.Pod:
		run(object)
	case *networkingv1.Ingress:
		object.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{Hostname: "ingress.test"}}
	}
	return !equality.Semantic.DeepEqual(before, object)
}

// run has a pod of a Deployment run and be ready, and one of a Job end.
func run(pod *corev1.Pod) {
	if pod.Status.Phase != corev1.PodPending {
		return
	}
	if pod.Spec.RestartPolicy != corev1.RestartPolicyAlways {
		pod.Status.Phase = corev1.PodSucceeded
		return
	}
	pod.Status.Phase = corev1.PodRunning
	for _, conditionType := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		pod.Status.Conditions = append(pod.Status.Conditions,
			corev1.PodCondition{Type: conditionType, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()})
	}
}

// endpoints does what the controller of EndpointSlices does for a Service: that one wants nodes.
func endpoints(ctx context.Context, c client.Client, service client.ObjectKey) error {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: service.Namespace, Name: service.Name, Labels: map[string]string{discoveryv1.LabelServiceName: service.Name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
	}
	return client.IgnoreAlreadyExists(c.Create(ctx, slice))
}

// EndJob ends a Job well or not, as its controller does.
func EndJob(ctx context.Context, c client.Client, job *batchv1.Job, well bool) error {
	before := job.DeepCopy()
	now := metav1.Now()
	condition := func(conditionType batchv1.JobConditionType) batchv1.JobCondition {
		return batchv1.JobCondition{Type: conditionType, Status: corev1.ConditionTrue, LastProbeTime: now, LastTransitionTime: now}
	}
	job.Status.StartTime = &now
	if well {
		job.Status.Succeeded, job.Status.CompletionTime = 1, &now
		job.Status.Conditions = []batchv1.JobCondition{condition(batchv1.JobSuccessCriteriaMet), condition(batchv1.JobComplete)}
	} else {
		job.Status.Failed = 1
		job.Status.Conditions = []batchv1.JobCondition{condition(batchv1.JobFailureTarget), condition(batchv1.JobFailed)}
	}
	return c.Status().Patch(ctx, job, client.MergeFrom(before))
}
