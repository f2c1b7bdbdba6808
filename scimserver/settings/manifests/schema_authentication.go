package manifests

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// maxNames is how many audiences, subjects or applications there may be.
const maxNames = 16

func validateAuthentication(spec *field.Path, t v1alpha1.ProvisioningTenantSpec) field.ErrorList {
	var list field.ErrorList
	path, a := spec.Child("authentication"), t.Authentication
	if a.OAuth != nil && a.OAuth.AccessTokenLifetime != nil {
		if lifetime := a.OAuth.AccessTokenLifetime.Duration; lifetime < time.Hour || lifetime > 6*time.Hour {
			list = append(list, field.Invalid(path.Child("oauth", "accessTokenLifetime"), lifetime.String(), "must be a duration from 1h to 6h such as 90m"))
		}
	}
	if w := a.WorkloadIdentity; w != nil {
		list = append(list, some(path.Child("workloadIdentity", "audiences"), w.Audiences)...)
		list = append(list, some(path.Child("workloadIdentity", "subjects"), w.Subjects)...)
	}
	if e := a.EntraToken; e != nil {
		list = append(list, some(path.Child("entraToken", "audiences"), e.Audiences)...)
		list = append(list, some(path.Child("entraToken", "applications"), e.Applications)...)
	}
	if u := a.UserToken; u != nil {
		list = append(list, some(path.Child("userToken", "audiences"), u.Audiences)...)
	}
	if t.Entra() == nil && (a.WorkloadIdentity != nil || a.EntraToken != nil || a.UserToken != nil) {
		list = append(list, field.Required(spec.Child("identityProvider"),
			"must be specified where authentication has workloadIdentity, entraToken or userToken: its login authority signs those tokens"))
	}
	return append(list, validateReaders(path.Child("readers"), a.Readers)...)
}

func validateReaders(path *field.Path, readers []v1alpha1.Reader) field.ErrorList {
	const most = 32
	var list field.ErrorList
	if len(readers) > most {
		list = append(list, field.TooMany(path, len(readers), most))
	}
	seen := map[string]bool{}
	for i, reader := range readers {
		name := path.Index(i).Child("name")
		list = append(list, required(name, reader.Name, 56)...)
		list = append(list, match(name, reader.Name, `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`,
			"must be a DNS label of lower-case letters, digits and '-' such as payroll")...)
		if seen[reader.Name] {
			list = append(list, field.Duplicate(name, reader.Name))
		}
		seen[reader.Name] = true
		if reader.ServiceAccount != nil {
			list = append(list, validateServiceAccount(path.Index(i), reader)...)
		}
	}
	return list
}

func validateServiceAccount(path *field.Path, reader v1alpha1.Reader) field.ErrorList {
	const label = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	var list field.ErrorList
	account, at := reader.ServiceAccount, path.Child("serviceAccount")
	if reader.RotationInterval != nil || reader.Overlap != nil {
		list = append(list, field.Invalid(path, "", "rotationInterval and overlap must not be specified where serviceAccount is: "+
			"Kubernetes issues that reader's tokens and replaces them"))
	}
	list = append(list, required(at.Child("name"), account.Name, 253)...)
	list = append(list, match(at.Child("name"), account.Name, `^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`,
		"must be the name of a ServiceAccount, of lower-case letters, digits, '-' and '.' such as payroll")...)
	if account.Namespace != "" {
		list = append(list, required(at.Child("namespace"), account.Namespace, 63)...)
		list = append(list, match(at.Child("namespace"), account.Namespace, label,
			"must be the name of a namespace, a DNS label of lower-case letters, digits and '-' such as apps")...)
	}
	return list
}

// some checks a list of names that must not be empty.
func some(path *field.Path, names []string) field.ErrorList {
	if len(names) == 0 {
		return field.ErrorList{field.Required(path, "")}
	}
	return set(path, names, maxNames)
}
