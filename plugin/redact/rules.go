package redact

import (
	"slices"
	"strings"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// rules are the fields of a kind that are shown as they are. A path has a part a key, [] for the elements of a list and for an environment variable its
// name, * for any of these and, at its end, ** for all below.
type rules struct{ shown [][]string }

// how a string at a path is shown. What is in a status is text, because controllers write their reasons there.
func (r rules) how(path []string) how {
	if len(path) > 1 && slices.Contains(maps, path[len(path)-2]) {
		if slices.Contains(digests, path[len(path)-1]) {
			return asDigest
		}
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(path[len(path)-1], prefix) }) {
			return asText
		}
		return taken
	}
	switch {
	case len(path) > 2 && path[len(path)-3] == "env" && slices.Contains(limits, path[len(path)-2]) && path[len(path)-1] == "value":
		return asBytes
	case slices.ContainsFunc(r.shown, func(pattern []string) bool { return matches(pattern, path) }):
		return whole
	case path[0] == "status":
		return asText
	default:
		return taken
	}
}

func matches(pattern, path []string) bool {
	for i, part := range pattern {
		switch {
		case part == "**":
			return true
		case i >= len(path), part != "*" && part != path[i]:
			return false
		}
	}
	return len(pattern) == len(path)
}

// maps are of keys and values that people choose. Those with one of the prefixes are text, and of others the key is shown.
//
//nolint:gochecknoglobals // tables
var (
	maps     = []string{"labels", "annotations", "matchLabels", "selector", "nodeSelector"}
	prefixes = []string{
		"app.kubernetes.io/", "deployment.kubernetes.io/revision", "kubernetes.io/hostname", "topology.kubernetes.io/",
		"batch.kubernetes.io/", v1alpha1.GroupName + "/", v1alpha1.RotateAnnotationPrefix, v1alpha1.RevokeAnnotationPrefix,
	}

	// digests are labels and annotations with what a program makes: a hash, a UID, or the chart with its version.
	digests = []string{
		v1alpha1.GroupName + "/applied", v1alpha1.GroupName + "/template", v1alpha1.UpgradeAnnotation, v1alpha1.GroupName + "/service-account",
		"pod-template-hash", "helm.sh/chart",
	}

	// limits are environment variables of ours, which have an amount of memory.
	limits = []string{"GOMEMLIMIT"}

	// flags of our programs whose values say how they run.
	flags = []string{
		"server-image", "log-level", "log-format", "concurrency", "max-upgrades", "watch-namespaces", "base-domain", "ingress-class", "gateway",
		"host-reservation", "lease-namespace", "metrics-bind-address", "metrics-secure", "metrics-cert-dir", "health-probe-bind-address", "leader-elect",
		"listen", "admin-listen", "tenant", "namespace", "tenant-uid", "data", "database-url-file", "database-schema",
	}
)

// metadata are the fields of every kind.
const metadata = "apiVersion kind metadata.name metadata.namespace metadata.uid metadata.resourceVersion metadata.generateName metadata.creationTimestamp " +
	"metadata.deletionTimestamp metadata.finalizers.[] metadata.ownerReferences.[].* status.conditions.[].type status.conditions.[].reason"

// pod are the fields of a pod's spec, and container those of a container.
const (
	pod = "serviceAccountName serviceAccount nodeName schedulerName priorityClassName preemptionPolicy restartPolicy dnsPolicy securityContext.** " +
		"tolerations.** imagePullSecrets.** " +
		"volumes.[].name volumes.[].persistentVolumeClaim.** volumes.[].secret.** volumes.[].configMap.name volumes.[].emptyDir.** volumes.[].projected.**"
	container = "name image imagePullPolicy ports.** resources.** volumeMounts.** securityContext.** terminationMessagePath terminationMessagePolicy " +
		"env.*.name env.*.valueFrom.** envFrom.** readinessProbe.httpGet.path readinessProbe.httpGet.port readinessProbe.httpGet.scheme " +
		"livenessProbe.httpGet.path livenessProbe.httpGet.port livenessProbe.httpGet.scheme startupProbe.httpGet.path startupProbe.httpGet.port " +
		"startupProbe.httpGet.scheme"
	podStatus = "status.phase status.containerStatuses.[].name status.containerStatuses.[].image status.containerStatuses.[].imageID " +
		"status.initContainerStatuses.[].name status.initContainerStatuses.[].image"
)

func rulesFor(object map[string]any) rules {
	kind, _ := object["kind"].(string)
	var shown [][]string
	add := func(below, fields string) {
		for field := range strings.FieldsSeq(fields) {
			shown = append(shown, strings.Split(below+field, "."))
		}
	}
	pods := func(below string) {
		add(below, pod)
		add(below+"containers.[].", container)
		add(below+"initContainers.[].", container)
	}
	add("", metadata)
	add("", fields[kind])
	switch kind {
	case "Pod":
		pods("spec.")
	case "Deployment", "ReplicaSet", "Job":
		pods("spec.template.spec.")
	}
	return rules{shown}
}

// fields of each kind beside those of every kind. No display name, company, role, filter or value that users receive is among them.
var fields = map[string]string{ //nolint:gochecknoglobals // a table
	"ProvisioningTenant": "spec.identityProvider.** spec.provisioning.** spec.access.** spec.authentication.secretToken.** spec.authentication.oauth.** " +
		"spec.authentication.readers.[].name spec.authentication.readers.[].serviceAccount.** spec.exposure.type spec.exposure.host " +
		"spec.exposure.additionalHosts.** spec.exposure.ingress.className spec.exposure.ingress.readiness spec.exposure.ingress.tls.** " +
		"spec.exposure.gateway.** spec.storage.** " +
		"spec.retention.** spec.rateLimit.** spec.schema.extensions.[].id spec.schema.extensions.[].name spec.schema.extensions.[].attributes.[].name " +
		"spec.schema.extensions.[].attributes.[].type spec.server.resources.** spec.server.autoscaling.** spec.server.template.spec.imagePullSecrets.** " +
		"spec.server.template.spec.tolerations.** spec.server.template.spec.priorityClassName spec.server.networkPolicy.** spec.deletionPolicy " +
		"status.storage.type status.storage.schema status.storage.deletionPolicy " +
		"status.tenantURL status.tokenURL status.credentials.** status.userDefaults.[] status.operatorNamespace status.directory.id " +
		"status.directory.defaults.[].name status.directory.refusedSchemas.[].id",
	"UserDefaults": "spec.tenantRef.name spec.apply spec.locale spec.preferredLanguage spec.timezone spec.attributes.[].path",
	"Pod":          podStatus,
	"Deployment":   "spec.strategy.**",
	"Service":      "spec.type spec.ports.** spec.clusterIP spec.ipFamilies.** spec.ipFamilyPolicy spec.sessionAffinity spec.internalTrafficPolicy",
	"Ingress":      "spec.ingressClassName spec.rules.** spec.tls.** spec.defaultBackend.**",
	"HTTPRoute": "spec.hostnames.** spec.parentRefs.** spec.rules.[].matches.** spec.rules.[].backendRefs.** " +
		"status.parents.[].parentRef.** status.parents.[].controllerName",
	"PersistentVolumeClaim": "spec.accessModes.** spec.resources.** spec.storageClassName spec.volumeName spec.volumeMode status.phase status.capacity.**",
	"PersistentVolume": "spec.capacity.** spec.accessModes.** spec.persistentVolumeReclaimPolicy spec.storageClassName " +
		"spec.claimRef.** spec.csi.driver status.phase",
	"StorageClass":            "provisioner reclaimPolicy volumeBindingMode",
	"NetworkPolicy":           "spec.policyTypes.** spec.ingress.** spec.egress.**",
	"HorizontalPodAutoscaler": "spec.scaleTargetRef.** spec.metrics.**",
	"PodDisruptionBudget":     "spec.maxUnavailable spec.minAvailable spec.unhealthyPodEvictionPolicy",
	"Lease":                   "spec.holderIdentity spec.acquireTime spec.renewTime",
	"CustomResourceDefinition": "spec.group spec.names.** spec.scope spec.versions.[].name " +
		"status.storedVersions.[]",
	"Event": "type reason involvedObject.* firstTimestamp lastTimestamp eventTime source.* reportingComponent reportingInstance action",
}

// reporters are the controllers whose events are known to have only the names of objects in them. Of others' events the message is taken out.
var reporters = []string{ //nolint:gochecknoglobals // a table
	"kubelet", "default-scheduler", "deployment-controller", "replicaset-controller", "job-controller", "persistentvolume-controller",
	"horizontal-pod-autoscaler", "controllermanager", "endpoint-slice-controller", "attachdetach-controller", "node-controller", "taint-eviction-controller",
	"provisioningtenant", "userdefaults", "tenantry-operator", "operator",
}

// Event returns what may be shown of an event of Kubernetes.
func (r *Redactor) Event(event map[string]any) map[string]any {
	shown := r.Object(event)
	source, _ := event["source"].(map[string]any)
	component, _ := source["component"].(string)
	reporter, _ := event["reportingComponent"].(string)
	message, _ := event["message"].(string)
	if message != "" && (slices.Contains(reporters, component) || component == "" && slices.Contains(reporters, reporter)) {
		shown["message"] = r.Text(message)
	}
	return shown
}
