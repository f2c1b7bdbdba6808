package classes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// check collects what of a tenant is out of the bounds of its class.
type check struct {
	class  *v1alpha1.ProvisioningTenantClass
	tenant types.NamespacedName
	// asks is what the tenant says itself, and gets what it has with what the class adds.
	asks, gets *v1alpha1.ProvisioningTenantSpec
	// namespace has the labels of the tenant's.
	namespace labels.Set
	// engine of the directory that is there, "" for a new one.
	engine v1alpha1.StorageType
	// host that the tenant has, unless that is its class's.
	host string

	excesses []string
}

// all checks every bound, in the order of the API. It returns an error where a bound cannot be read.
func (c *check) all() error {
	if err := c.exposure(); err != nil {
		return err
	}
	c.storage()
	c.server()
	bounds := &c.class.Spec.Bounds
	c.most("rateLimit.requestsPerSecond", c.asks.RateLimit.RequestsPerSecond, bounds.RateLimit.RequestsPerSecond, "rateLimit.requestsPerSecond")
	c.most("rateLimit.burst", c.asks.RateLimit.Burst, bounds.RateLimit.Burst, "rateLimit.burst")
	if longest, asked := bounds.Retention.MaxProvisioningLog, c.asks.Retention.ProvisioningLog; longest != nil && asked.Duration > longest.Duration {
		c.exceed("retention.provisioningLog", problem.Duration(asked.Duration), "at most "+problem.Duration(longest.Duration), "retention.maxProvisioningLog")
	}
	return nil
}

// exceed notes that a field of the tenant's spec has a value, and what its class allows by which bound.
func (c *check) exceed(field, value, allowed, bound string) {
	c.excesses = append(c.excesses, fmt.Sprintf("spec.%s is %s, and class %s allows %s (spec.bounds.%s of the class)",
		field, value, c.class.Name, allowed, bound))
}

// most checks a number that the tenant says itself.
func (c *check) most(field string, asked, most *int32, bound string) {
	if asked != nil && most != nil && *asked > *most {
		c.exceed(field, fmt.Sprint(*asked), fmt.Sprintf("at most %d", *most), bound)
	}
}

// oneOf checks a value against a list that has it, unless the list is nil. The class's own value is always allowed.
func oneOf[T ~string](c *check, field string, value T, allowed []T, given T, bound string) {
	if allowed == nil || value == "" || value == given || slices.Contains(allowed, value) {
		return
	}
	c.exceed(field, string(value), list(allowed), bound)
}

// prefixed checks names and values that the tenant gives itself. Those that the class has too, with the same value, are allowed.
func prefixed[V ~string](c *check, field string, asked, given map[string]V, prefixes []string, bound string) {
	if prefixes == nil {
		return
	}
	allowed := "none"
	if len(prefixes) > 0 {
		allowed = "those that begin with " + list(prefixes)
	}
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		value, has := given[name]
		begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		if (!has || value != asked[name]) && !slices.ContainsFunc(prefixes, begins) {
			c.exceed(field+" "+name, "given", allowed, bound)
		}
	}
}

// list is what is allowed, in words.
func list[T ~string](allowed []T) string {
	if len(allowed) == 0 {
		return "none"
	}
	names := make([]string, len(allowed))
	for i, value := range allowed {
		names[i] = string(value)
	}
	return strings.Join(names, ", ")
}

func (c *check) exposure() error {
	bounds, given := &c.class.Spec.Bounds.Exposure, &c.class.Spec.Defaults.Exposure
	oneOf(c, "exposure.type", c.gets.Exposure.Type, bounds.Types, given.Type, "exposure.types")
	if err := c.hosts(); err != nil {
		return err
	}
	if own := c.asks.Exposure.Ingress; own != nil {
		from := cmp.Or(given.Ingress, &v1alpha1.IngressExposure{})
		oneOf(c, "exposure.ingress.className", own.ClassName, bounds.Ingress.ClassNames, from.ClassName, "exposure.ingress.classNames")
		prefixed(c, "exposure.ingress.annotations", own.Annotations, from.Annotations, bounds.Ingress.AnnotationPrefixes,
			"exposure.ingress.annotationPrefixes")
		c.issuer(own.TLS, from.TLS)
		if bounds.Ingress.ClassNames != nil {
			c.instead(own.Annotations, from.Annotations, "exposure.ingress.classNames", "kubernetes.io/ingress.class")
		}
		if bounds.Ingress.Issuers != nil {
			c.instead(own.Annotations, from.Annotations, "exposure.ingress.issuers",
				"cert-manager.io/issuer", "cert-manager.io/cluster-issuer", "cert-manager.io/issuer-kind", "cert-manager.io/issuer-group")
		}
	}
	if own := c.asks.Exposure.Gateway; own != nil && bounds.Gateway.ParentRefs != nil {
		allowed := slices.Clone(bounds.Gateway.ParentRefs)
		if given.Gateway != nil {
			allowed = append(allowed, given.Gateway.ParentRefs...)
		}
		for _, parent := range own.ParentRefs {
			if !slices.ContainsFunc(allowed, func(bound v1alpha1.GatewayReference) bool { return c.covers(bound, parent) }) {
				c.exceed("exposure.gateway.parentRefs", c.parent(parent), c.parents(bounds.Gateway.ParentRefs), "exposure.gateway.parentRefs")
			}
		}
	}
	return nil
}

// instead refuses annotations that say what a bounded field is for. Controllers follow them.
func (c *check) instead(own, given map[string]string, bound string, names ...string) {
	for _, name := range names {
		if value, asks := own[name]; asks && given[name] != value {
			c.exceed("exposure.ingress.annotations "+name, "given", "none", bound)
		}
	}
}

// hosts checks those that the tenant names itself, and the one that it has by the operator.
func (c *check) hosts() error {
	bound := c.class.Spec.Bounds.Exposure.Hosts
	if bound == nil {
		return nil
	}
	var patterns []string
	for i, rule := range bound {
		selected, err := selects(rule.NamespaceSelector, c.namespace)
		if err != nil {
			return fmt.Errorf("spec.bounds.exposure.hosts[%d].namespaceSelector: %w", i, err)
		}
		if selected {
			patterns = append(patterns, hosts.Filled(rule.Patterns, c.tenant)...)
		}
	}
	check := func(field, host string) {
		if host != "" && !hosts.Allowed(patterns, hosts.Canonical(host)) && host != c.hostOfClass() {
			c.exceed(field, host, list(patterns), "exposure.hosts")
		}
	}
	check("exposure.host", c.host)
	for _, host := range c.asks.Exposure.AdditionalHosts {
		check("exposure.additionalHosts", string(host))
	}
	return nil
}

// hostOfClass is what the class gives a tenant that names no host.
func (c *check) hostOfClass() string {
	return c.tenant.Name + "." + c.class.Spec.Defaults.Exposure.BaseDomain
}

func (c *check) issuer(own, given *v1alpha1.IngressTLS) {
	allowed := c.class.Spec.Bounds.Exposure.Ingress.Issuers
	if own == nil || own.IssuerRef == nil || allowed == nil {
		return
	}
	if given != nil && given.IssuerRef != nil {
		allowed = append(slices.Clone(allowed), *given.IssuerRef)
	}
	same := func(a v1alpha1.IssuerReference) bool { return issuer(a) == issuer(*own.IssuerRef) }
	if !slices.ContainsFunc(allowed, same) {
		var names []string
		for _, a := range c.class.Spec.Bounds.Exposure.Ingress.Issuers {
			names = append(names, issuer(a))
		}
		c.exceed("exposure.ingress.tls.issuerRef", issuer(*own.IssuerRef), list(names), "exposure.ingress.issuers")
	}
}

// issuer is a reference in words, such as ClusterIssuer letsencrypt.
func issuer(of v1alpha1.IssuerReference) string {
	kind := cmp.Or(of.Kind, "Issuer")
	if group := cmp.Or(of.Group, "cert-manager.io"); group != "cert-manager.io" {
		kind += "." + group
	}
	return kind + " " + of.Name
}

// covers tells whether a reference of the class allows that of a tenant.
func (c *check) covers(bound, asked v1alpha1.GatewayReference) bool {
	bound, asked = bound.From(c.tenant.Namespace), asked.From(c.tenant.Namespace)
	bound.SectionName, bound.Port = cmp.Or(bound.SectionName, asked.SectionName), cmp.Or(bound.Port, asked.Port)
	return bound == asked
}

// parent is a reference in words, such as Gateway edge/public, with its listener behind it.
func (c *check) parent(of v1alpha1.GatewayReference) string {
	of = of.From(c.tenant.Namespace)
	words := fmt.Sprintf("%s %s/%s", of.Kind, of.Namespace, of.Name)
	if of.SectionName != "" {
		words += " listener " + of.SectionName
	}
	if of.Port != 0 {
		words += fmt.Sprintf(" port %d", of.Port)
	}
	return words
}

func (c *check) parents(of []v1alpha1.GatewayReference) string {
	words := make([]string, len(of))
	for i, reference := range of {
		words[i] = c.parent(reference)
	}
	return list(words)
}

func (c *check) storage() {
	bounds, given := &c.class.Spec.Bounds.Storage, &c.class.Spec.Defaults.Storage
	if c.gets.Storage.Type != c.engine { // a directory stays where it is
		oneOf(c, "storage.type", c.gets.Storage.Type, bounds.Types, given.Type, "storage.types")
	}
	own := &c.asks.Storage.SQLite
	if bounds.SQLite.MaxSize != nil {
		// A quantity keeps its text where it is asked for it, and these are the cache's.
		size, largest := own.Size.DeepCopy(), bounds.SQLite.MaxSize.DeepCopy()
		if size.Cmp(largest) > 0 {
			c.exceed("storage.sqlite.size", size.String(), "at most "+largest.String(), "storage.sqlite.maxSize")
		}
	}
	if c.engine != "" {
		return // a volume stays in its class
	}
	oneOf(c, "storage.sqlite.storageClassName", own.StorageClassName, bounds.SQLite.StorageClassNames, given.SQLite.StorageClassName,
		"storage.sqlite.storageClassNames")
}

func (c *check) server() {
	bounds, given, own := &c.class.Spec.Bounds.Server, &c.class.Spec.Defaults.Server, &c.asks.Server
	c.most("server.replicas", own.Replicas, bounds.MaxReplicas, "server.maxReplicas")
	if own.Autoscaling != nil {
		c.most("server.autoscaling.maxReplicas", &own.Autoscaling.MaxReplicas, bounds.MaxReplicas, "server.maxReplicas")
	}
	if own.Resources != nil {
		c.resources("requests", own.Resources.Requests)
		c.resources("limits", own.Resources.Limits)
	}
	template, from := &own.Template, &given.Template
	prefixed(c, "server.template.metadata.labels", template.Metadata.Labels, from.Metadata.Labels, bounds.LabelPrefixes, "server.labelPrefixes")
	prefixed(c, "server.template.metadata.annotations", template.Metadata.Annotations, from.Metadata.Annotations, bounds.AnnotationPrefixes,
		"server.annotationPrefixes")
	for _, secret := range template.Spec.ImagePullSecrets {
		if !slices.Contains(from.Spec.ImagePullSecrets, secret) {
			oneOf(c, "server.template.spec.imagePullSecrets", secret.Name, bounds.ImagePullSecrets, "", "server.imagePullSecrets")
		}
	}
	oneOf(c, "server.template.spec.priorityClassName", template.Spec.PriorityClassName, bounds.PriorityClassNames, from.Spec.PriorityClassName,
		"server.priorityClassNames")
	if bounds.Scheduling == v1alpha1.PermissionRefused {
		refuse := func(field string, asks bool) {
			if asks {
				c.exceed("server.template.spec."+field, "given", "none", "server.scheduling")
			}
		}
		asked, has := &template.Spec, &from.Spec
		refuse("nodeSelector", len(asked.NodeSelector) > 0 && !equality.Semantic.DeepEqual(asked.NodeSelector, has.NodeSelector))
		refuse("tolerations", len(asked.Tolerations) > 0 && !equality.Semantic.DeepEqual(asked.Tolerations, has.Tolerations))
		refuse("affinity", asked.Affinity != nil && !equality.Semantic.DeepEqual(asked.Affinity, has.Affinity))
		refuse("topologySpreadConstraints", len(asked.TopologySpreadConstraints) > 0 &&
			!equality.Semantic.DeepEqual(asked.TopologySpreadConstraints, has.TopologySpreadConstraints))
	}
}

// resources checks requests or limits that the tenant says itself.
func (c *check) resources(field string, asked corev1.ResourceList) {
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		quantity := asked[name]
		largest, isBounded := c.class.Spec.Bounds.Server.MaxResources[name]
		if isBounded && quantity.Cmp(largest) > 0 {
			c.exceed(fmt.Sprintf("server.resources.%s.%s", field, name), quantity.String(), "at most "+largest.String(), "server.maxResources."+string(name))
		}
	}
}

// bounded gives a server the most of each bounded resource for which nobody says a limit: without one it may use all of the node. Where nobody says
// anything of resources, it has the operator's own, up to the bounds.
func bounded(s *v1alpha1.Server, most corev1.ResourceList) {
	if len(most) == 0 {
		return
	}
	if s.Resources == nil {
		s.Resources = desired.DefaultResources()
		for _, list := range []corev1.ResourceList{s.Resources.Requests, s.Resources.Limits} {
			for name, quantity := range list {
				if largest, isBounded := most[name]; isBounded && quantity.Cmp(largest) > 0 {
					list[name] = largest.DeepCopy()
				}
			}
		}
	}
	for name, largest := range most {
		if _, limited := s.Resources.Limits[name]; limited {
			continue
		}
		if s.Resources.Limits == nil {
			s.Resources.Limits = corev1.ResourceList{}
		}
		if request, requested := s.Resources.Requests[name]; requested && request.Cmp(largest) > 0 {
			largest = request // which the class itself says
		}
		s.Resources.Limits[name] = largest.DeepCopy()
	}
}
