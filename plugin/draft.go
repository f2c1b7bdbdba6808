package plugin

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// draft is a new tenant as a command line describes it; "" is what was not given.
type draft struct {
	name, namespace, displayName, entraTenantID, cloud              string
	host, ingressClass, storageClass, storageSize, postgresqlSecret string
	companies, roles                                                []string
}

// The bounds, shapes and messages are those of the CRD, so that an error says here what the API server would say later.
const (
	defaultSize = "1Gi"
	leastSize   = "16Mi"

	longestName, longestHost, longestText, mostInCatalog = 52, 253, 256, 1000

	nameTooLong = "must have at most 52 characters: the names of the tenant's objects add to it"
	nameMessage = "must be a DNS label that begins with a letter, of lower-case letters, digits and '-', " +
		"because it becomes part of a host name and of a Service's name"
	entraTenantIDMessage = "must be a GUID such as 8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11, the directory (tenant) ID in the Microsoft Entra admin center"
	hostMessage          = "must be a DNS name in lower case such as contoso.scim.example.com, without scheme, port or path"
)

var (
	nameShape          = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)
	entraTenantIDShape = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	hostShape          = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$`)
)

// tenant returns the tenant, or what the API server would refuse about it. It has no field with its default.
func (d *draft) tenant() (*v1alpha1.ProvisioningTenant, error) {
	size, err := d.size()
	if err := cmp.Or(d.check(), err); err != nil {
		return nil, err
	}
	tenant := &v1alpha1.ProvisioningTenant{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ProvisioningTenant"},
		ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: d.name},
		Spec: v1alpha1.ProvisioningTenantSpec{
			Catalog:  v1alpha1.Catalog{Companies: d.companies, Roles: d.roles},
			Exposure: v1alpha1.Exposure{Host: d.host},
			Storage:  v1alpha1.Storage{SQLite: v1alpha1.SQLiteStorage{Size: size, StorageClassName: d.storageClass}},
		},
	}
	spec := &tenant.Spec
	if d.displayName != d.name {
		spec.DisplayName = d.displayName
	}
	if d.entraTenantID != "" {
		entra := &v1alpha1.Entra{TenantID: d.entraTenantID}
		if cloud := v1alpha1.EntraCloud(d.cloud); cloud != v1alpha1.EntraCloudPublic {
			entra.Cloud = cloud
		}
		spec.IdentityProvider = &v1alpha1.IdentityProvider{Entra: entra} // its type is the default
	}
	if d.ingressClass != "" {
		spec.Exposure.Ingress = &v1alpha1.IngressExposure{ClassName: d.ingressClass}
	}
	if d.postgresqlSecret != "" {
		spec.Storage.Type = v1alpha1.StoragePostgreSQL
		spec.Storage.PostgreSQL = &v1alpha1.PostgreSQLStorage{ConnectionSecretRef: v1alpha1.ConnectionSecretReference{Name: d.postgresqlSecret}}
	}
	return tenant, nil
}

// check returns the first of what is wrong.
func (d *draft) check() error {
	return cmp.Or(
		wrong(len(d.name) > longestName, "the tenant's name "+nameTooLong),
		wrong(!nameShape.MatchString(d.name), "the tenant's name "+nameMessage),
		objectName("namespace", "a namespace", d.namespace, validation.IsDNS1123Label),
		text("display-name", d.displayName),
		wrong(d.entraTenantID != "" && !entraTenantIDShape.MatchString(d.entraTenantID), "--entra-tenant-id "+entraTenantIDMessage),
		wrong(v1alpha1.EntraCloud(d.cloud).LoginHost() == "", "--cloud must be Public, USGovernment or China, not %q", d.cloud),
		wrong(d.cloud != "" && d.entraTenantID == "", "--cloud is that of an Entra tenant: give --entra-tenant-id too"),
		wrong(len(d.host) > longestHost, "--host must have at most %d characters", longestHost),
		wrong(d.host != "" && !hostShape.MatchString(d.host), "--host "+hostMessage),
		objectName("ingress-class", "an IngressClass", d.ingressClass, validation.IsDNS1123Subdomain),
		objectName("storage-class", "a StorageClass", d.storageClass, validation.IsDNS1123Subdomain),
		objectName("postgresql-secret", "a Secret", d.postgresqlSecret, validation.IsDNS1123Subdomain),
		wrong(d.postgresqlSecret != "" && d.storageClass+d.storageSize != "",
			"--storage-class and --storage-size are of a volume, which a directory in PostgreSQL does not have: leave them out, or --postgresql-secret"),
		set("companies", d.companies),
		set("roles", d.roles),
	)
}

// size is that of the volume, zero where none was given.
func (d *draft) size() (quantity.Quantity, error) {
	if d.storageSize == "" {
		return quantity.Quantity{}, nil
	}
	size, err := quantity.ParseQuantity(d.storageSize)
	if err != nil || size.Cmp(quantity.MustParse(leastSize)) < 0 {
		return size, fmt.Errorf("--storage-size must be an amount such as 2Gi, at least %s, not %q", leastSize, d.storageSize)
	}
	return size, nil
}

// wrong is an error where something is so.
func wrong(so bool, format string, args ...any) error {
	if !so {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// objectName checks the name of an object.
func objectName(flag, object, name string, problems func(string) []string) error {
	return wrong(name != "" && len(problems(name)) > 0, "--%s must be the name of %s, not %q", flag, object, name)
}

// text checks what people write. Control characters are refused because YAML cannot tell all of them, and loses some without a word.
func text(flag, value string) error {
	return cmp.Or(
		wrong(!utf8.ValidString(value), "--%s must be UTF-8, not %q", flag, value),
		wrong(strings.ContainsFunc(value, unicode.IsControl), "--%s must have no control characters, not %q", flag, value),
		wrong(utf8.RuneCountInString(value) > longestText, "--%s must have at most %d characters: %q", flag, longestText, value),
	)
}

// set checks names of the catalog. Blanks around one are allowed there, and are what a comma inside a name leaves behind.
func set(flag string, names []string) error {
	problem := wrong(len(names) > mostInCatalog, "--%s must have at most %d names", flag, mostInCatalog)
	for i, name := range names {
		problem = cmp.Or(problem,
			wrong(name == "", "--%s has an empty name", flag),
			text(flag, name),
			wrong(name != strings.TrimSpace(name), "--%s has %q, with a blank around it; write a name with a comma in double quotes "+
				`within the argument, as in '"Fabrikam, Inc.",Contoso'`, flag, name),
			wrong(slices.Contains(names[:i], name), "--%s has %q twice", flag, name),
		)
	}
	return problem
}
