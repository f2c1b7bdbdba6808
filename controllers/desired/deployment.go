package desired

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	containerName = v1alpha1.ServerContainer

	// nobody owns the process and the volume.
	nobody = int64(65532)

	// drainSeconds is how long the server goes on serving after it was told to stop, because routers learn of it later.
	drainSeconds = 3
	// graceSeconds is drainSeconds, what the longest request may take, and closing the database.
	graceSeconds = 30
	// readySeconds is how long a pod is ready before it counts as available. Meanwhile routers hear of it: most put changes together
	// for a second or two.
	readySeconds = 2
	// progressSeconds is how long a rollout may take, volume and image included, before the tenant is told that it is stuck.
	progressSeconds = 300
)

// Deployment runs the SCIM server. How many replicas it has is left open where an autoscaler decides.
func Deployment(t Tenant) (*appsv1ac.DeploymentApplyConfiguration, error) {
	name := t.Resource.Name
	container, err := server(t)
	if err != nil {
		return nil, err
	}
	volumes := []*corev1ac.VolumeApplyConfiguration{claimVolume(t)}
	if usesDatabase(t) {
		volumes = []*corev1ac.VolumeApplyConfiguration{settingsVolume(), databaseVolume(t)}
	}
	pod, err := pod(t, container, volumes...)
	if err != nil {
		return nil, err
	}
	pod.WithAutomountServiceAccountToken(true)
	spec := appsv1ac.DeploymentSpec().
		WithStrategy(strategy(t)).
		WithMinReadySeconds(readySeconds).
		WithProgressDeadlineSeconds(progressSeconds).
		WithRevisionHistoryLimit(2).
		WithSelector(metav1ac.LabelSelector().WithMatchLabels(selector(name))).
		WithTemplate(podTemplate(t, pod))
	if !Autoscaled(t) {
		spec.WithReplicas(replicas(t))
	}
	return appsv1ac.Deployment(ServerName(name), t.Resource.Namespace).
		WithLabels(Labels(name)).
		WithOwnerReferences(owner(t.Resource)).
		WithSpec(spec), nil
}

// OfAccount marks the pods of a Deployment with the UID of the ServiceAccount whose token they have: others take their place where that is another.
// The kubelet goes on giving pods the token of one that was deleted for most of an hour, and the API server refuses it.
func OfAccount(deployment *appsv1ac.DeploymentApplyConfiguration, uid types.UID) {
	deployment.Spec.Template.WithAnnotations(map[string]string{AnnotationAccount: string(uid)})
}

// podTemplate gives a pod of the server the labels and annotations of the spec. Those of the operator win: the Service and the NetworkPolicy go by
// them. Pods of Jobs do not get them: a sidecar that an injector puts beside the Job would not let it end.
func podTemplate(t Tenant, pod *corev1ac.PodSpecApplyConfiguration) *corev1ac.PodTemplateSpecApplyConfiguration {
	given := t.Resource.Spec.Server.Template.Metadata
	template := corev1ac.PodTemplateSpec().WithLabels(texts(given.Labels)).WithLabels(Labels(t.Resource.Name)).WithSpec(pod)
	if len(given.Annotations) > 0 {
		template.WithAnnotations(texts(given.Annotations))
	}
	return template
}

// texts are the values as a Pod has them.
func texts[V ~string](given map[string]V) map[string]string {
	values := make(map[string]string, len(given))
	for name, value := range given {
		values[name] = string(value)
	}
	return values
}

// pod runs a container as and where the tenant's server runs.
func pod(
	t Tenant, container *corev1ac.ContainerApplyConfiguration, volumes ...*corev1ac.VolumeApplyConfiguration,
) (*corev1ac.PodSpecApplyConfiguration, error) {
	given := t.Resource.Spec.Server.Template.Spec
	pod := corev1ac.PodSpec().
		WithServiceAccountName(ServerName(t.Resource.Name)).
		// The environment variables for every Service of the namespace would tell a tenant of all others.
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(graceSeconds).
		WithSecurityContext(podSecurity(t)).
		WithContainers(container).
		WithVolumes(volumes...)
	if bundle := t.Pods.CABundle; bundle != nil {
		pod.WithVolumes(authoritiesVolume(bundle))
	}
	for _, secret := range given.ImagePullSecrets {
		pod.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(secret.Name))
	}
	if len(given.NodeSelector) > 0 {
		pod.WithNodeSelector(given.NodeSelector)
	}
	for _, given := range given.Tolerations {
		toleration := corev1ac.Toleration()
		if err := convert(given, toleration); err != nil {
			return nil, err
		}
		pod.WithTolerations(toleration)
	}
	if given.Affinity != nil {
		affinity := corev1ac.Affinity()
		if err := convert(given.Affinity, affinity); err != nil {
			return nil, err
		}
		pod.WithAffinity(affinity)
	}
	for _, given := range given.TopologySpreadConstraints {
		constraint := corev1ac.TopologySpreadConstraint()
		if err := convert(given, constraint); err != nil {
			return nil, err
		}
		if given.LabelSelector == nil {
			constraint.WithLabelSelector(metav1ac.LabelSelector().WithMatchLabels(selector(t.Resource.Name)))
		}
		pod.WithTopologySpreadConstraints(constraint)
	}
	if given.PriorityClassName != "" {
		pod.WithPriorityClassName(given.PriorityClassName)
	}
	return pod, nil
}

// authoritiesVolume has the platform's own certificate authorities. It is optional: a namespace is older than what trust-manager puts into it, and a
// tenant serves its clients without them.
func authoritiesVolume(bundle *v1alpha1.CABundle) *corev1ac.VolumeApplyConfiguration {
	key := cmp.Or(bundle.Key, v1alpha1.DefaultCABundleKey)
	return corev1ac.Volume().WithName(volumeAuthorities).WithConfigMap(corev1ac.ConfigMapVolumeSource().
		WithName(bundle.ConfigMapName).
		WithItems(corev1ac.KeyToPath().WithKey(key).WithPath(key)).
		WithOptional(true))
}

// podSecurity keeps the pod from root. Its user and groups are named, because volumes of tenants have always belonged to them, unless the cluster gives
// each namespace its own, as OpenShift does, and refuses others.
func podSecurity(t Tenant) *corev1ac.PodSecurityContextApplyConfiguration {
	security := corev1ac.PodSecurityContext().
		WithRunAsNonRoot(true).
		WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
		WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))
	if t.PlatformIDs {
		return security
	}
	return security.WithRunAsUser(nobody).WithRunAsGroup(nobody).WithFSGroup(nobody)
}

// server is the container of the SCIM server.
func server(t Tenant) (*corev1ac.ContainerApplyConfiguration, error) {
	container, err := container(t)
	if err != nil {
		return nil, err
	}
	container.WithArgs(
		"--namespace="+t.Resource.Namespace,
		"--tenant="+t.Resource.Name,
		"--tenant-uid="+string(t.Resource.UID),
		"--data="+v1alpha1.DataPath,
	)
	if usesDatabase(t) {
		container.WithArgs(databaseArgs(t)...).WithVolumeMounts(databaseMount())
	}
	container.WithArgs(listenArgs()...)
	if t.EntraAuthority != "" {
		container.WithArgs("--entra-authority=" + t.EntraAuthority)
	}
	return container.WithLifecycle(corev1ac.Lifecycle().WithPreStop(corev1ac.LifecycleHandler().
		WithSleep(corev1ac.SleepAction().WithSeconds(drainSeconds)))), nil
}

func listenArgs() []string {
	return []string{"--listen=:" + strconv.Itoa(v1alpha1.ServerPort), "--admin-listen=:" + strconv.Itoa(v1alpha1.AdminPort)}
}

// container runs the server's image with the tenant's data, and answers on both ports.
func container(t Tenant) (*corev1ac.ContainerApplyConfiguration, error) {
	given := t.Resource.Spec.Server.Resources
	if given == nil {
		given = DefaultResources()
	}
	resources := corev1ac.ResourceRequirements()
	if err := convert(given, resources); err != nil {
		return nil, err
	}
	probe := func(path string) *corev1ac.ProbeApplyConfiguration {
		return corev1ac.Probe().WithHTTPGet(corev1ac.HTTPGetAction().WithPath(path).WithPort(intstr.FromString(portAdmin)))
	}
	container := corev1ac.Container().
		WithName(containerName).
		WithImage(t.ServerImage).
		WithPorts(
			corev1ac.ContainerPort().WithName(portHTTP).WithContainerPort(v1alpha1.ServerPort).WithProtocol(corev1.ProtocolTCP),
			corev1ac.ContainerPort().WithName(portAdmin).WithContainerPort(v1alpha1.AdminPort).WithProtocol(corev1.ProtocolTCP),
		).
		WithResources(resources).
		WithVolumeMounts(corev1ac.VolumeMount().WithName(volumeData).WithMountPath(v1alpha1.DataPath)).
		// Ready goes unanswered until the first settings arrived and old databases were brought up to date.
		WithStartupProbe(probe(v1alpha1.HealthPath).WithPeriodSeconds(1).WithFailureThreshold(120)).
		WithReadinessProbe(probe(v1alpha1.ReadyPath).WithPeriodSeconds(2).WithFailureThreshold(2)).
		WithLivenessProbe(probe(v1alpha1.HealthPath).WithPeriodSeconds(10).WithTimeoutSeconds(5).WithFailureThreshold(6)).
		WithSecurityContext(corev1ac.SecurityContext().
			WithAllowPrivilegeEscalation(false).
			WithReadOnlyRootFilesystem(true).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL")))
	for _, variable := range t.Pods.Env {
		container.WithEnv(corev1ac.EnvVar().WithName(variable.Name).WithValue(variable.Value))
	}
	if t.Pods.CABundle != nil {
		container.
			WithEnv(corev1ac.EnvVar().WithName(v1alpha1.AuthoritiesVariable).WithValue(v1alpha1.AuthoritiesPath)).
			WithVolumeMounts(corev1ac.VolumeMount().WithName(volumeAuthorities).WithMountPath(v1alpha1.AuthoritiesPath).WithReadOnly(true))
	}
	if limit, ok := given.Limits[corev1.ResourceMemory]; ok {
		// Nine tenths leave room for what the runtime does not count, so that the collector works harder before the kernel kills.
		container.WithEnv(corev1ac.EnvVar().WithName("GOMEMLIMIT").WithValue(strconv.FormatInt(limit.Value()/10*9, 10)))
	}
	return container, nil
}

// DefaultResources are those of a server for which nobody says any.
func DefaultResources() *v1alpha1.ServerResources {
	return &v1alpha1.ServerResources{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("20m"), corev1.ResourceMemory: resource.MustParse("64Mi"),
			corev1.ResourceEphemeralStorage: resource.MustParse("64Mi"), // the log, of which the kubelet keeps 50 MiB
		},
		// A pod above its ephemeral storage is evicted, so that limit is far above what a node keeps of a log.
		Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi"), corev1.ResourceEphemeralStorage: resource.MustParse("1Gi")},
	}
}

// convert turns an API type into its apply configuration, which has the same JSON.
func convert(from, to any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("read spec.server: %w", err)
	}
	if err := json.Unmarshal(data, to); err != nil {
		return fmt.Errorf("read spec.server: %w", err)
	}
	return nil
}
