package kubernetes

import (
	"fmt"
	"net/http"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// clients speak to the two API groups that matter. A clientset would link every kind that Kubernetes has and cost more
// memory than the rest of the server.
type clients struct {
	tenantry, core rest.Interface
	transport      http.RoundTripper
}

func newClients(config *rest.Config, log logr.Logger) (clients, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return clients{}, err
	}
	scheme.AddKnownTypes(corev1.SchemeGroupVersion, &corev1.Secret{}, &corev1.SecretList{}, &corev1.Namespace{})
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)

	config = rest.CopyConfig(config)
	config.WarningHandlerWithContext = newWarnings(log)
	config.UserAgent = "tenantry-scimserver"
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.DisableCompression = true
	// A proxy on the way to the internet is no way to the API server, which is in the cluster.
	config.Proxy = http.ProxyURL(nil)
	// The API server's own fairness limits a tenant; client-go's default of 5 a second would make one with hundreds of
	// UserDefaults start slowly.
	config.QPS = -1
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return clients{}, fmt.Errorf("make a client for the API server: %w", err)
	}
	tenantry, err := restClient(config, transport, "/apis", v1alpha1.SchemeGroupVersion)
	if err != nil {
		return clients{}, err
	}
	core, err := restClient(config, transport, "/api", corev1.SchemeGroupVersion)
	if err != nil {
		return clients{}, err
	}
	return clients{tenantry: tenantry, core: core, transport: transport.Transport}, nil
}

func restClient(config *rest.Config, transport *http.Client, path string, version schema.GroupVersion) (rest.Interface, error) {
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion = path, &version
	client, err := rest.RESTClientForConfigAndClient(config, transport)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s of the API server: %w", version, err)
	}
	return client, nil
}
