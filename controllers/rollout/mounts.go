package rollout

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// mounts are the objects without which the kubelet does not start a pod, by name.
type mounts struct{ claims, secrets, configMaps []string }

// mountsOf are those of a pod, in the order of its volumes, with those that an admission policy added.
func mountsOf(pod *corev1.Pod) mounts {
	var of mounts
	add := func(to *[]string, name string, optional *bool) {
		if name != "" && !ptr.Deref(optional, false) && !slices.Contains(*to, name) {
			*to = append(*to, name)
		}
	}
	for _, volume := range pod.Spec.Volumes {
		if claim := volume.PersistentVolumeClaim; claim != nil {
			add(&of.claims, claim.ClaimName, nil)
		}
		if secret := volume.Secret; secret != nil {
			add(&of.secrets, secret.SecretName, secret.Optional)
		}
		if configMap := volume.ConfigMap; configMap != nil {
			add(&of.configMaps, configMap.Name, configMap.Optional)
		}
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			if source.Secret != nil {
				add(&of.secrets, source.Secret.Name, source.Secret.Optional)
			}
			if source.ConfigMap != nil {
				add(&of.configMaps, source.ConfigMap.Name, source.ConfigMap.Optional)
			}
		}
	}
	return of
}

// String names them in parentheses, "" for none.
func (m mounts) String() string {
	var all []string
	for _, of := range []struct {
		kind  string
		names []string
	}{{"volume claim ", m.claims}, {"Secret ", m.secrets}, {"ConfigMap ", m.configMaps}} {
		for _, name := range of.names {
			all = append(all, of.kind+name)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, ", ") + ")"
}

// awaitsStart tells whether a container of a pod waits to be started.
func awaitsStart(pod *corev1.Pod) bool {
	return slices.ContainsFunc(slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses), func(status corev1.ContainerStatus) bool {
		return status.State.Waiting != nil
	})
}

// AwaitedSecrets are the Secrets that pods mount which wait to be started, each once.
func AwaitedSecrets(pods []corev1.Pod) []string {
	var names []string
	for i := range pods {
		if awaitsStart(&pods[i]) {
			names = append(names, mountsOf(&pods[i]).secrets...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
