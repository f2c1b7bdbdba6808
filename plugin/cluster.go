package plugin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// newScheme knows the kinds that the commands read.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, coordinationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, v1alpha1.AddToScheme(scheme)
}

func newClient(config *rest.Config) (client.Client, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	return c, nil
}

// explain makes an error of the API server one that helps.
func explain(err error) error {
	if meta.IsNoMatchError(err) {
		return fmt.Errorf("the cluster does not know ProvisioningTenants: install Tenantry first, or choose another --context (%w)", err)
	}
	return err
}

// getTenant reads one tenant.
func getTenant(ctx context.Context, c client.Client, namespace, name string) (*v1alpha1.ProvisioningTenant, error) {
	tenant := &v1alpha1.ProvisioningTenant{}
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, tenant)
	if apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("there is no tenant %q in namespace %q; 'kubectl tenantry list -A' shows those of all namespaces", name, namespace)
	}
	if err != nil {
		return nil, explain(err)
	}
	return tenant, nil
}

// tenantWith reads the tenant of that name, which must have the credential.
func (s *session) tenantWith(ctx context.Context, name, key string) (client.Client, *v1alpha1.ProvisioningTenant, error) {
	c, tenant, err := s.tenant(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	return c, tenant, hasCredential(tenant, key)
}

// tenant connects and reads the tenant of that name.
func (s *session) tenant(ctx context.Context, name string) (client.Client, *v1alpha1.ProvisioningTenant, error) {
	c, namespace, err := s.connect()
	if err != nil {
		return nil, nil, err
	}
	tenant, err := getTenant(ctx, c, namespace, name)
	return c, tenant, err
}

// credential reads one credential, which the tenant has, from the Secret that hands it out. It returns none that the server does not accept.
func credential(ctx context.Context, c client.Client, tenant *v1alpha1.ProvisioningTenant, key string) (string, error) {
	secret := &corev1.Secret{}
	name, at := secretOf(tenant, key)
	err := c.Get(ctx, client.ObjectKey{Namespace: tenant.Namespace, Name: name}, secret)
	found, mark := strings.TrimSpace(string(secret.Data[at])), token.Marks(secret.Annotations)[key]
	switch {
	case err == nil && found != "" && mark.Refused == "" && mark.Fingerprint == token.Fingerprint(found):
		return found, nil
	case err == nil && found != "":
		return "", &refusedError{tenant: tenant, secret: name, at: at, key: key, why: mark.Refused}
	case err != nil && !apierrors.IsNotFound(err):
		return "", err
	case !isIssued(tenant, key):
		return "", fmt.Errorf("the operator has not issued %s of tenant %q yet; %s says why", key, tenant.Name, commandLine("describe", tenant, ""))
	default:
		return "", &deletedError{tenant, name, key}
	}
}

// isIssued tells whether the operator has issued a credential, which it has not while the Secret of a new one cannot be written.
func isIssued(tenant *v1alpha1.ProvisioningTenant, key string) bool {
	credentials := tenant.Status.Credentials
	return credentials != nil && slices.ContainsFunc(credentials.Issued, func(c v1alpha1.IssuedCredential) bool { return c.Key == key })
}

// secretOf returns the name of the Secret that hands out a credential, and the key there; empty where the tenant has no such credential.
func secretOf(tenant *v1alpha1.ProvisioningTenant, key string) (name, at string) {
	for _, wanted := range token.Wanted(tenant) {
		if wanted.Key == key {
			return wanted.Secret(tenant.Name)
		}
	}
	return "", ""
}

// deletedError says that a credential was copied and its plaintext deleted, as one may.
type deletedError struct {
	tenant      *v1alpha1.ProvisioningTenant
	secret, key string
}

func (e *deletedError) Error() string {
	rotate := request{key: e.key}
	return fmt.Sprintf("Secret %s does not hold %s any more: it was deleted, as one may after copying. What was copied stays valid; "+
		"if nobody has it, %s issues a new one", e.secret, e.key, commandLine("rotate", e.tenant, rotate.flag()))
}

// refusedError says that a Secret holds a value that somebody put there, and that the operator has not accepted.
type refusedError struct {
	tenant               *v1alpha1.ProvisioningTenant
	secret, at, key, why string
}

func (e *refusedError) Error() string {
	if e.why == "" {
		return fmt.Sprintf("Secret %s was changed under %s, and the operator has not accepted the value yet; try again in a moment. "+
			"If it stays so, %s says how the tenant is", e.secret, e.at, commandLine("describe", e.tenant, ""))
	}
	rotate := request{key: e.key}
	return fmt.Sprintf("Secret %s has under %s a value that the server does not accept: %s. Put back a token that was issued for it, "+
		"or %s issues a new one", e.secret, e.at, e.why, commandLine("rotate", e.tenant, rotate.flag()))
}

// hasCredential returns an error where the tenant has no credential with this key.
func hasCredential(tenant *v1alpha1.ProvisioningTenant, key string) error {
	for _, reader := range tenant.Spec.Authentication.Readers {
		if account := reader.ServiceAccount; account != nil && key == v1alpha1.CredentialsReaderPrefix+reader.Name {
			return fmt.Errorf("reader %s of tenant %q is a ServiceAccount, whose tokens Kubernetes issues: "+
				"'kubectl create token %s --namespace %s --audience %s' prints one", reader.Name, tenant.Name,
				account.Name, cmp.Or(account.Namespace, tenant.Namespace), cmp.Or(tenant.Status.TenantURL, v1alpha1.ServiceURL(tenant.Namespace, tenant.Name)))
		}
	}
	if keys := credentialKeys(tenant); !slices.Contains(keys, key) {
		return fmt.Errorf("tenant %q has no credential %q: its spec.authentication asks for %s", tenant.Name, key, strings.Join(keys, ", "))
	}
	return nil
}

// credentialKeys are the keys of the tenant's credentials.
func credentialKeys(tenant *v1alpha1.ProvisioningTenant) []string {
	var keys []string
	for _, wanted := range token.Wanted(tenant) {
		keys = append(keys, wanted.Key)
	}
	return keys
}
