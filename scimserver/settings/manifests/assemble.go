package manifests

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// objects are the decoded documents of the namespaces that are looked at.
type objects struct {
	tenants  []v1alpha1.ProvisioningTenant
	defaults []v1alpha1.UserDefaults
	classes  []v1alpha1.ProvisioningTenantClass
	secrets  []document
	// places of defaults, by their index.
	places []document
	// given are the specs of the tenants as the files have them, by namespace/name.
	given map[string]v1alpha1.ProvisioningTenantSpec
}

// found is what the files make.
type found struct {
	snapshot    *settings.Snapshot
	class       *v1alpha1.ProvisioningTenantClass // of the tenant, nil for none
	url         *string                           // of the database that keeps the directory, nil for none
	credentials string                            // where they come from, in a few words
	ignored     []string                          // fields of the tenant that have no effect
}

// snapshot makes a snapshot of the files.
func (s *Source) snapshot(files folder) (f found, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", s.options.Dir, err)
		}
	}()
	documents, unreadable := files.documents()
	all, invalid := decodeAll(documents, s.options.Namespace)
	if err := errors.Join(unreadable, invalid); err != nil {
		return found{}, err
	}
	tenant, err := choose(all.tenants, s.options.Tenant)
	if err != nil {
		return found{}, err
	}
	given := all.given[tenant.Namespace+"/"+tenant.Name]
	f = found{snapshot: &settings.Snapshot{Tenant: tenant}, class: all.classOf(tenant), ignored: append(s.ignored(given), unheard(tenant)...)}
	if f.class != nil {
		if err := follow(tenant, given, f.class); err != nil {
			return found{}, err
		}
	}
	if f.snapshot.Defaults, err = all.defaultsOf(tenant); err != nil {
		return found{}, err
	}
	base, err := baseURL(s.options.Listen)
	if err != nil {
		return found{}, err
	}
	tenant.Status = v1alpha1.ProvisioningTenantStatus{TenantURL: base}
	tenant.UID = "" // of a cluster's, should the file come from one
	if tenant.Status.Directory, err = s.directory(tenant); err != nil {
		return found{}, err
	}
	if f.snapshot.Verifiers, f.credentials, err = verifiers(all.secrets, tenant, s.options.DataDir); err != nil {
		return found{}, err
	}
	f.url, err = s.connection(all.secrets, tenant)
	return f, err
}

func decodeAll(documents []document, namespace string) (objects, error) {
	all := objects{given: map[string]v1alpha1.ProvisioningTenantSpec{}}
	var failures []error
	seen := map[string]string{}
	for _, d := range documents {
		d.namespace = cmp.Or(d.namespace, namespace, "default")
		if d.kind == classKind {
			d.namespace = "" // it is of the cluster
		} else if namespace != "" && d.namespace != namespace {
			continue
		}
		key := strings.Join([]string{d.kind, d.namespace, d.name}, "/")
		if first, ok := seen[key]; ok {
			failures = append(failures, d.failure(fmt.Errorf("is also in %s", first)))
			continue
		}
		seen[key] = d.place
		var err error
		switch d.kind {
		case tenantKind:
			var tenant v1alpha1.ProvisioningTenant
			if err = d.decode(&tenant); err == nil {
				tenant.Namespace = d.namespace
				all.given[d.namespace+"/"+d.name] = *tenant.Spec.DeepCopy()
				setTenantDefaults(&tenant)
				tenant.Spec.SetDefaults()
				err = invalid(d, validateTenant(&tenant))
				all.tenants = append(all.tenants, tenant)
			}
		case defaultsKind:
			var defaults v1alpha1.UserDefaults
			if err = d.decode(&defaults); err == nil {
				defaults.Namespace, defaults.Status = d.namespace, v1alpha1.UserDefaultsStatus{}
				setUserDefaultsDefaults(&defaults)
				err = invalid(d, validateUserDefaults(&defaults))
				all.defaults, all.places = append(all.defaults, defaults), append(all.places, d)
			}
		case classKind:
			var class v1alpha1.ProvisioningTenantClass
			err = d.decode(&class)
			all.classes = append(all.classes, class)
		default:
			all.secrets = append(all.secrets, d)
		}
		failures = append(failures, err)
	}
	return all, errors.Join(failures...)
}

// invalid returns what is wrong with the fields of a document as one error, or nil.
func invalid(d document, list field.ErrorList) error {
	failures := make([]error, 0, len(list))
	for _, err := range list {
		failures = append(failures, d.failure(err))
	}
	return errors.Join(failures...)
}

// choose returns the tenant to serve.
func choose(tenants []v1alpha1.ProvisioningTenant, name string) (*v1alpha1.ProvisioningTenant, error) {
	named := slices.DeleteFunc(slices.Clone(tenants), func(t v1alpha1.ProvisioningTenant) bool {
		return name != "" && t.Name != name
	})
	switch {
	case len(named) == 1:
		return &named[0], nil
	case len(tenants) == 0:
		return nil, errors.New("there is no ProvisioningTenant")
	case len(named) == 0:
		return nil, fmt.Errorf("there is no ProvisioningTenant %s, only %s", name, list(tenants))
	case name == "":
		return nil, fmt.Errorf("there are several tenants, choose one with --tenant: %s", list(named))
	default:
		return nil, fmt.Errorf("there are several tenants of this name, choose one with --namespace: %s", list(named))
	}
}

func list(tenants []v1alpha1.ProvisioningTenant) string {
	var names []string
	for _, t := range tenants {
		names = append(names, t.Namespace+"/"+t.Name)
	}
	return strings.Join(names, ", ")
}

// defaultsOf returns the defaults of the tenant in their order. Defaults of a tenant that does not exist are an error:
// in a folder that is a misspelt name, and nobody would see a condition.
func (o objects) defaultsOf(tenant *v1alpha1.ProvisioningTenant) ([]v1alpha1.UserDefaults, error) {
	var defaults []v1alpha1.UserDefaults
	var failures []error
	for i, d := range o.defaults {
		known := slices.ContainsFunc(o.tenants, func(t v1alpha1.ProvisioningTenant) bool {
			return t.Namespace == d.Namespace && t.Name == d.Spec.TenantRef.Name
		})
		switch {
		case !known:
			failures = append(failures, o.places[i].failure(field.NotFound(field.NewPath("spec", "tenantRef", "name"), d.Spec.TenantRef.Name)))
		case d.Namespace == tenant.Namespace && d.Spec.TenantRef.Name == tenant.Name:
			failures = append(failures, invalid(o.places[i], validateNames(&d, tenant.Spec.Catalog)))
			defaults = append(defaults, d)
		}
	}
	settings.SortDefaults(defaults)
	return defaults, errors.Join(failures...)
}

// baseURL returns where clients on this machine find the endpoints.
func baseURL(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("the address to listen on: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + v1alpha1.BasePath, nil
}

// secretOf returns the Secret of that name in the tenant's namespace, or nil.
func secretOf(secrets []document, tenant *v1alpha1.ProvisioningTenant, name string) (*corev1.Secret, document, error) {
	for _, d := range secrets {
		if d.namespace != tenant.Namespace || d.name != name {
			continue
		}
		var secret corev1.Secret
		if err := d.decode(&secret); err != nil {
			return nil, d, err
		}
		return &secret, d, nil
	}
	return nil, document{}, nil
}
