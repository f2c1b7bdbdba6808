package manifests

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// This file says again what the markers of the API types say, because a schema and what evaluates it would be larger
// than the server. A test holds both side by side.

// setTenantDefaults fills in what the API server does. SetDefaults of the spec fills in the rest, which the API server leaves to those who read a tenant.
func setTenantDefaults(t *v1alpha1.ProvisioningTenant) {
	spec := &t.Spec
	if provider := spec.IdentityProvider; provider != nil {
		provider.Type = cmp.Or(provider.Type, v1alpha1.IdentityProviderEntra)
	}
	if entra := spec.Entra(); entra != nil {
		entra.Cloud = cmp.Or(entra.Cloud, v1alpha1.EntraCloudPublic)
	}
	spec.Provisioning.State = cmp.Or(spec.Provisioning.State, v1alpha1.StateActive)
	spec.Access.State = cmp.Or(spec.Access.State, v1alpha1.StateActive)
	spec.Provisioning.Users = cmp.Or(spec.Provisioning.Users, v1alpha1.SwitchEnabled)
	spec.Provisioning.Groups = cmp.Or(spec.Provisioning.Groups, v1alpha1.SwitchEnabled)
	if spec.Authentication.SecretToken == nil {
		spec.Authentication.SecretToken = &v1alpha1.SecretToken{}
	}
	if entraToken := spec.Authentication.EntraToken; entraToken != nil {
		if entraToken.Audiences == nil {
			entraToken.Audiences = []string{"8adf8e6e-67b2-4cf2-a259-e3dc5476c621"}
		}
		if entraToken.Applications == nil {
			entraToken.Applications = []string{"00000014-0000-0000-c000-000000000000"}
		}
	}
	if database := spec.Storage.PostgreSQL; database != nil {
		database.ConnectionSecretRef.Key = cmp.Or(database.ConnectionSecretRef.Key, "url")
		database.Port = cmp.Or(database.Port, 5432)
	}
	setExtensionDefaults(spec.Schema.Extensions)
}

func setUserDefaultsDefaults(d *v1alpha1.UserDefaults) {
	d.Spec.Apply = cmp.Or(d.Spec.Apply, v1alpha1.ApplyOnCreate)
}

func validateTenant(t *v1alpha1.ProvisioningTenant) field.ErrorList {
	spec := field.NewPath("spec")
	var list field.ErrorList
	for _, message := range validation.IsDNS1035Label(t.Name) {
		list = append(list, field.Invalid(field.NewPath("metadata", "name"), t.Name, message))
	}
	list = append(list, atMost(field.NewPath("metadata", "name"), t.Name, 52)...)
	list = append(list, oneOf(spec.Child("provisioning", "state"), t.Spec.Provisioning.State, v1alpha1.StateActive, v1alpha1.StateSuspended)...)
	list = append(list, oneOf(spec.Child("access", "state"), t.Spec.Access.State, v1alpha1.StateActive, v1alpha1.StateSuspended)...)
	list = append(list, oneOf(spec.Child("provisioning", "users"), t.Spec.Provisioning.Users, v1alpha1.SwitchEnabled, v1alpha1.SwitchDisabled)...)
	list = append(list, oneOf(spec.Child("provisioning", "groups"), t.Spec.Provisioning.Groups, v1alpha1.SwitchEnabled, v1alpha1.SwitchDisabled)...)
	if kept := t.Spec.Retention.ProvisioningLog.Duration; kept < time.Hour || kept > 87600*time.Hour {
		list = append(list, field.Invalid(spec.Child("retention", "provisioningLog"), kept.String(),
			"must be a duration from 1h to 87600h, such as 720h or 36h30m"))
	}
	if after := t.Spec.Retention.DeactivatedUsers; after != nil && (after.Duration < 24*time.Hour || after.Duration > 87600*time.Hour) {
		list = append(list, field.Invalid(spec.Child("retention", "deactivatedUsers"), after.Duration.String(),
			"must be a duration from 24h to 87600h such as 2160h: users that are inactive for so long are deleted"))
	}
	list = append(list, validateIdentityProvider(spec.Child("identityProvider"), t.Spec.IdentityProvider)...)
	list = append(list, validateAuthentication(spec, t.Spec)...)
	list = append(list, validateStorage(spec.Child("storage"), t.Spec.Storage)...)
	list = append(list, set(spec.Child("catalog", "companies"), t.Spec.Catalog.Companies, 1000)...)
	list = append(list, set(spec.Child("catalog", "roles"), t.Spec.Catalog.Roles, 1000)...)
	list = append(list, between(spec.Child("rateLimit", "requestsPerSecond"), *t.Spec.RateLimit.RequestsPerSecond, 1, 100000)...)
	list = append(list, between(spec.Child("rateLimit", "burst"), *t.Spec.RateLimit.Burst, 1, 100000)...)
	return append(list, validateExtensions(spec.Child("schema", "extensions"), t.Spec.Schema.Extensions)...)
}

func validateIdentityProvider(path *field.Path, p *v1alpha1.IdentityProvider) field.ErrorList {
	if p == nil {
		return nil
	}
	list := oneOf(path.Child("type"), p.Type, v1alpha1.IdentityProviderEntra)
	entra := path.Child("entra")
	if p.Entra == nil {
		return append(list, field.Required(entra, "must be specified when type is Entra, and only then"))
	}
	list = append(list, required(entra.Child("tenantID"), p.Entra.TenantID, 64)...)
	list = append(list, match(entra.Child("tenantID"), p.Entra.TenantID, `^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`,
		"must be a GUID such as 8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11, the directory (tenant) ID in the Microsoft Entra admin center")...)
	return append(list, oneOf(entra.Child("cloud"), p.Entra.Cloud,
		v1alpha1.EntraCloudPublic, v1alpha1.EntraCloudUSGovernment, v1alpha1.EntraCloudChina)...)
}

func validateStorage(path *field.Path, s v1alpha1.Storage) field.ErrorList {
	list := oneOf(path.Child("type"), s.Type, v1alpha1.StorageSQLite, v1alpha1.StoragePostgreSQL)
	database := path.Child("postgresql")
	switch {
	case (s.PostgreSQL != nil) != (s.Type == v1alpha1.StoragePostgreSQL):
		return append(list, field.Invalid(database, s.Type, "must be given when type is PostgreSQL, and only then"))
	case s.PostgreSQL == nil:
		return list
	}
	ref := database.Child("connectionSecretRef")
	list = append(list, required(ref.Child("name"), s.PostgreSQL.ConnectionSecretRef.Name, 253)...)
	list = append(list, match(ref.Child("name"), s.PostgreSQL.ConnectionSecretRef.Name, `^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`,
		"must be the name of a Secret, of lower-case letters, digits, '-' and '.' such as contoso-database")...)
	list = append(list, required(ref.Child("key"), s.PostgreSQL.ConnectionSecretRef.Key, 253)...)
	list = append(list, match(ref.Child("key"), s.PostgreSQL.ConnectionSecretRef.Key, `^[-_a-zA-Z0-9][-._a-zA-Z0-9]*$`,
		"must be a key of a Secret: letters, digits, '-', '_' and '.', which it does not begin with")...)
	return append(list, between(database.Child("port"), s.PostgreSQL.Port, 1, 65535)...)
}

func validateUserDefaults(d *v1alpha1.UserDefaults) field.ErrorList {
	spec := field.NewPath("spec")
	var list field.ErrorList
	for _, message := range validation.IsDNS1123Subdomain(d.Name) {
		list = append(list, field.Invalid(field.NewPath("metadata", "name"), d.Name, message))
	}
	list = append(list, required(spec.Child("tenantRef", "name"), d.Spec.TenantRef.Name, 52)...)
	list = append(list, match(spec.Child("tenantRef", "name"), d.Spec.TenantRef.Name, `^[a-z]([-a-z0-9]*[a-z0-9])?$`,
		"must be the name of a ProvisioningTenant, of lower-case letters, digits and '-' such as contoso")...)
	list = append(list, between(spec.Child("priority"), d.Spec.Priority, -1000000, 1000000)...)
	list = append(list, atMost(spec.Child("configurationFilter"), d.Spec.ConfigurationFilter, 256)...)
	list = append(list, atMost(spec.Child("filter"), d.Spec.Filter, 4096)...)
	list = append(list, oneOf(spec.Child("apply"), d.Spec.Apply, v1alpha1.ApplyOnCreate, v1alpha1.ApplyAlways)...)
	list = append(list, set(spec.Child("companies"), d.Spec.Companies, 100)...)
	list = append(list, set(spec.Child("roles"), d.Spec.Roles, 100)...)
	list = append(list, atMost(spec.Child("locale"), d.Spec.Locale, 35)...)
	list = append(list, match(spec.Child("locale"), d.Spec.Locale, `^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$`, "must be a language tag such as sv-SE")...)
	list = append(list, atMost(spec.Child("preferredLanguage"), d.Spec.PreferredLanguage, 128)...)
	list = append(list, match(spec.Child("preferredLanguage"), d.Spec.PreferredLanguage, `^`+languageRange+`([ ]*,[ ]*`+languageRange+`)*$`,
		"must be language tags as in Accept-Language, such as sv or sv-SE, en;q=0.8")...)
	list = append(list, atMost(spec.Child("timezone"), d.Spec.Timezone, 64)...)
	list = append(list, match(spec.Child("timezone"), d.Spec.Timezone, `^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`,
		"must be a name of the IANA time zone database such as Europe/Stockholm")...)
	return append(list, validateAttributes(spec.Child("attributes"), d.Spec.Attributes)...)
}

// languageRange is one of the elements of Accept-Language, in the pattern of the CRD.
const languageRange = `([A-Za-z]{1,8}([-_][A-Za-z0-9]{1,8})*|[*])([ ]*[;][ ]*[qQ]=[01]([.][0-9]{0,3})?)?`

// reserved are the attributes that no default can set, in the pattern of the CRD.
const reserved = `(?i)^(urn:ietf:params:scim:schemas:core:2[.]0:user:)?` +
	`(id|meta([.].*)?|schemas|username|externalid|active|password|groups([.].*)?)$`

func validateAttributes(path *field.Path, attributes []v1alpha1.AttributeDefault) field.ErrorList {
	var list field.ErrorList
	if len(attributes) > 50 {
		list = append(list, field.TooMany(path, len(attributes), 50))
	}
	for i, a := range attributes {
		at := path.Index(i)
		list = append(list, required(at.Child("path"), a.Path, 512)...)
		list = append(list, required(at.Child("value"), a.Value, 1024)...)
		if matches(a.Path, reserved) {
			list = append(list, field.Invalid(at.Child("path"), a.Path,
				"must not be id, meta, schemas, userName, externalId, active, password or groups: these are the client's or the server's"))
		}
		if slices.ContainsFunc(attributes[:i], func(other v1alpha1.AttributeDefault) bool { return other.Path == a.Path }) {
			list = append(list, field.Duplicate(at.Child("path"), a.Path))
		}
	}
	return list
}

// validateNames says which companies and roles are not in the tenant's catalog.
func validateNames(d *v1alpha1.UserDefaults, catalog v1alpha1.Catalog) field.ErrorList {
	known := func(path *field.Path, names, known []string, of string) (list field.ErrorList) {
		for i, name := range names {
			if !slices.Contains(known, name) {
				list = append(list, field.Invalid(path.Index(i), name, "is not in the tenant's "+of))
			}
		}
		return list
	}
	spec := field.NewPath("spec")
	return append(
		known(spec.Child("companies"), d.Spec.Companies, catalog.Companies, "spec.catalog.companies"),
		known(spec.Child("roles"), d.Spec.Roles, catalog.Roles, "spec.catalog.roles")...,
	)
}

func oneOf[T ~string](path *field.Path, value T, values ...T) field.ErrorList {
	if slices.Contains(values, value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(path, value, values)}
}

func required(path *field.Path, value string, length int) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return atMost(path, value, length)
}

func between(path *field.Path, value, least, most int32) field.ErrorList {
	if value >= least && value <= most {
		return nil
	}
	return field.ErrorList{field.Invalid(path, value, fmt.Sprintf("must be from %d to %d", least, most))}
}

func atMost(path *field.Path, value string, length int) field.ErrorList {
	if len([]rune(value)) <= length {
		return nil
	}
	return field.ErrorList{field.TooLongCharacters(path, value, length)}
}

func match(path *field.Path, value, pattern, message string) field.ErrorList {
	if value == "" || matches(value, pattern) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, value, message)}
}

// set checks a list of names that has each once.
func set(path *field.Path, names []string, most int) field.ErrorList {
	var list field.ErrorList
	if len(names) > most {
		list = append(list, field.TooMany(path, len(names), most))
	}
	for i, name := range names {
		list = append(list, required(path.Index(i), name, 256)...)
		if slices.Contains(names[:i], name) {
			list = append(list, field.Duplicate(path.Index(i), name))
		}
	}
	return list
}
