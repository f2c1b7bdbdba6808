package desired

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	batchv1ac "k8s.io/client-go/applyconfigurations/batch/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	// AnnotationMovedTo on a volume claim says to which engine its directory was moved.
	AnnotationMovedTo = v1alpha1.GroupName + "/moved-to"
	// AnnotationConnection on the Job of a move says which Secret and key it was made for.
	AnnotationConnection = v1alpha1.GroupName + "/connection"

	// moveRetries are for what may pass, such as a database that restarts. The server stands still meanwhile, so they are few.
	moveRetries = 2
	// moveSeconds is how long a move may take with its retries, volume and image included, before the tenant goes on as before.
	moveSeconds = 3600
)

// Connection names the Secret and the key with the tenant's connection URL.
func Connection(tenant *v1alpha1.ProvisioningTenant) string {
	ref := tenant.Spec.Storage.PostgreSQL.ConnectionSecretRef
	return ref.Name + "/" + ref.Key
}

// Move is the Job that copies the directory from the volume to the database and compares the two. Its pod has the labels of
// the server's, and so its NetworkPolicy and its clients, whom it answers 503.
func Move(t Tenant) (*batchv1ac.JobApplyConfiguration, error) {
	container, err := container(t)
	if err != nil {
		return nil, err
	}
	container.
		WithArgs("move", "--data="+v1alpha1.DataPath).
		WithArgs(databaseArgs(t)...).
		WithArgs(listenArgs()...).
		WithVolumeMounts(databaseMount()).
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError)
	pod, err := pod(t, container, claimVolume(t), databaseVolume(t))
	if err != nil {
		return nil, err
	}
	pod.WithAutomountServiceAccountToken(false).WithRestartPolicy(corev1.RestartPolicyNever)
	return job(t, MoveName(t.Resource.Name), pod, batchv1ac.JobSpec().WithBackoffLimit(moveRetries).WithActiveDeadlineSeconds(moveSeconds)), nil
}

// Connect is the Job that tries the connection to the database, for as long as it takes, while the server goes on with the volume. Its pod has
// the labels of the server's, and so its NetworkPolicy; it never becomes ready, so no client is led to it.
func Connect(t Tenant) (*batchv1ac.JobApplyConfiguration, error) {
	container, err := container(t)
	if err != nil {
		return nil, err
	}
	container.StartupProbe, container.LivenessProbe = nil, nil // it listens nowhere, so the probe of readiness fails
	container.
		WithArgs("connect", "--data="+v1alpha1.DataPath,
			"--namespace="+t.Resource.Namespace, "--tenant="+t.Resource.Name, "--tenant-uid="+string(t.Resource.UID)).
		WithArgs(databaseArgs(t)...).
		WithVolumeMounts(databaseMount())
	pod, err := pod(t, container, settingsVolume(), databaseVolume(t))
	if err != nil {
		return nil, err
	}
	pod.WithAutomountServiceAccountToken(true).WithRestartPolicy(corev1.RestartPolicyOnFailure)
	return job(t, ConnectName(t.Resource.Name), pod, batchv1ac.JobSpec().WithBackoffLimit(math.MaxInt32)), nil
}

// job is a Job for the tenant's present connection.
func job(t Tenant, name string, pod *corev1ac.PodSpecApplyConfiguration, spec *batchv1ac.JobSpecApplyConfiguration) *batchv1ac.JobApplyConfiguration {
	return batchv1ac.Job(name, t.Resource.Namespace).
		WithLabels(Labels(t.Resource.Name)).
		WithOwnerReferences(owner(t.Resource)).
		WithAnnotations(map[string]string{AnnotationConnection: Connection(t.Resource)}).
		WithSpec(spec.WithTemplate(corev1ac.PodTemplateSpec().WithLabels(Labels(t.Resource.Name)).WithSpec(pod)))
}
