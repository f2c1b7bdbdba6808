package v1alpha1

import corev1 "k8s.io/api/core/v1"

// Server shapes the pods of a tenant's SCIM server. Fields that a pod has mean what they mean there.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.replicas) && has(self.autoscaling))",message="replicas must be left out where autoscaling is given: it decides how many there are"
// +kubebuilder:validation:XValidation:rule="!has(self.autoscaling) || !has(self.resources) || (has(self.resources.requests) && 'cpu' in self.resources.requests) || (has(self.resources.limits) && 'cpu' in self.resources.limits)",message="resources must request cpu where autoscaling is given: the utilization is a share of that"
type Server struct {
	// replicas is how many servers run. More than one needs storage of type PostgreSQL. Default: 1.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Replicas *int32 `json:"replicas,omitempty"`

	// autoscaling lets a HorizontalPodAutoscaler decide how many servers run. It needs storage of type PostgreSQL, and metrics of
	// pods in the cluster.
	//
	// +optional
	Autoscaling *Autoscaling `json:"autoscaling,omitempty"`

	// resources of the server's container. Default: requests of 20m CPU, 64Mi memory and 64Mi ephemeral storage, limits of 256Mi memory
	// and 1Gi ephemeral storage.
	//
	// +optional
	Resources *ServerResources `json:"resources,omitempty"`

	// template adds to the server's pods.
	//
	// +optional
	Template ServerTemplate `json:"template,omitzero"`
}

// ServerResources are what the server's container requests, and its limits.
type ServerResources struct {
	// requests are what the container needs at least, which decides on which nodes its pod fits.
	//
	// +optional
	Requests corev1.ResourceList `json:"requests,omitempty"`

	// limits are what the container may use at most. Nine tenths of that of memory are told to the server's garbage collector.
	//
	// +optional
	Limits corev1.ResourceList `json:"limits,omitempty"`
}

// Autoscaling bounds how many servers run.
//
// +kubebuilder:validation:XValidation:rule="self.minReplicas <= self.maxReplicas",message="maxReplicas must be at least minReplicas, which is 2 where it is left out"
type Autoscaling struct {
	// minReplicas is how many servers run at least.
	//
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MinReplicas int32 `json:"minReplicas,omitempty"`

	// maxReplicas is how many servers run at most. Each has up to 10 connections to the database, unless its URL says pool_max_conns.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MaxReplicas int32 `json:"maxReplicas,omitempty"`

	// targetCPUUtilizationPercentage is what the servers should need on average, in percent of the CPU that they request. The
	// default request is small, so give resources together with this.
	//
	// +optional
	// +kubebuilder:default=80
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	TargetCPUUtilizationPercentage int32 `json:"targetCPUUtilizationPercentage,omitempty"`
}

// ServerTemplate adds to the pods of a tenant's SCIM server. It has those parts of a pod's template that are the platform's to choose.
type ServerTemplate struct {
	// metadata adds labels and annotations to the pods that serve, not to those of Jobs that move a directory.
	//
	// +optional
	Metadata ServerTemplateMetadata `json:"metadata,omitzero"`

	// spec says where the pods run, and what they may pull.
	//
	// +optional
	Spec ServerTemplateSpec `json:"spec,omitzero"`
}

// ServerTemplateMetadata adds to the metadata of the server's pods. Labels and annotations that the operator puts there itself stay.
type ServerTemplateMetadata struct {
	// labels of the pods, such as those that a service mesh, a network policy or a bill goes by. Names of app.kubernetes.io and
	// provisioning.tenantry.dev are the operator's.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('provisioning.tenantry.dev/'))",message="must not have labels of app.kubernetes.io or provisioning.tenantry.dev: the tenant's Service and NetworkPolicy go by those"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.matches('^(apps|batch|statefulset)[.]kubernetes[.]io/') && !(k in ['pod-template-hash', 'controller-revision-hash', 'job-name', 'controller-uid']))",message="must not have pod-template-hash, controller-revision-hash, job-name, controller-uid or labels of apps, batch and statefulset.kubernetes.io: controllers of Kubernetes set those"
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() <= 317 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="must have names of labels, such as team or example.com/team"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// annotations of the pods.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('provisioning.tenantry.dev/'))",message="must not have annotations of provisioning.tenantry.dev: those are the operator's"
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() <= 317 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="must have names of annotations, such as team or example.com/team"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`
}

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$')",message="must be the value of a label: letters, digits, '-', '_' and '.', with a letter or digit first and last"
type LabelValue string

// AnnotationValue is the value of an annotation.
//
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// ServerTemplateSpec adds to the spec of the server's pods. Each field means what it means in a pod.
type ServerTemplateSpec struct {
	// imagePullSecrets are Secrets in the tenant's namespace with which the server's image is pulled.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []SecretReference `json:"imagePullSecrets,omitempty"`

	// nodeSelector restricts the nodes that may run the server.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations let the server run on tainted nodes.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity steers the server towards or away from nodes and pods.
	//
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// topologySpreadConstraints spread the tenant's servers over zones or nodes. One without a labelSelector is about the pods of
	// this tenant's server.
	//
	// +optional
	// +listType=map
	// +listMapKey=topologyKey
	// +listMapKey=whenUnsatisfiable
	// +kubebuilder:validation:MaxItems=16
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`

	// priorityClassName is the PriorityClass of the server's pods.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a PriorityClass, of lower-case letters, digits, '-' and '.' such as tenants"
	PriorityClassName string `json:"priorityClassName,omitempty"`
}

// SecretReference names a Secret in the tenant's namespace.
type SecretReference struct {
	// name of the Secret.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a Secret, of lower-case letters, digits, '-' and '.' such as registry"
	Name string `json:"name,omitempty"`
}
