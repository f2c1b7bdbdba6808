package plugin

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// cluster is as much of an API server as the commands ask for, with what was put into it. What they write, and what they send
// to it, is searched for tokens.
type cluster struct {
	*testing.T
	kubeconfig string

	mu      sync.Mutex
	objects map[string]client.Object // by path
}

func newCluster(t *testing.T, objects ...client.Object) *cluster {
	t.Helper()
	c := &cluster{T: t, objects: map[string]client.Object{}}
	for _, object := range objects {
		c.put(object)
	}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: server.URL}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", Namespace: "customers"}
	config.CurrentContext = "test"
	c.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, c.kubeconfig); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) path(object client.Object) string {
	switch object.(type) {
	case *v1alpha1.ProvisioningTenant:
		return "/apis/provisioning.tenantry.dev/v1alpha1/namespaces/" + object.GetNamespace() + "/provisioningtenants"
	case *v1alpha1.UserDefaults:
		return "/apis/provisioning.tenantry.dev/v1alpha1/namespaces/" + object.GetNamespace() + "/userdefaults"
	case *v1alpha1.ProvisioningTenantClass:
		return "/apis/provisioning.tenantry.dev/v1alpha1/provisioningtenantclasses"
	case *corev1.Secret:
		return "/api/v1/namespaces/" + object.GetNamespace() + "/secrets"
	case *corev1.Pod:
		return "/api/v1/namespaces/" + object.GetNamespace() + "/pods"
	default:
		c.Fatalf("the fake API server has no %T", object)
		return ""
	}
}

func (c *cluster) put(object client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects[c.path(object)+"/"+object.GetName()] = object
}

func (c *cluster) remove(object client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.objects, c.path(object)+"/"+object.GetName())
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.String()+r.Header.Get("Authorization"), token.Prefix) {
		c.Errorf("a token went to the API server: %s", r.URL.Path)
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(c.answer(w, r)); err != nil {
		c.Error(err)
	}
}

func (c *cluster) answer(w http.ResponseWriter, r *http.Request) any {
	path := r.URL.Path
	names := func(version string, plurals ...string) any {
		list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: version}
		for _, plural := range plurals {
			kind := map[string]string{"secrets": "Secret", "pods": "Pod", "provisioningtenants": "ProvisioningTenant", "userdefaults": "UserDefaults",
				"provisioningtenantclasses": "ProvisioningTenantClass"}[plural]
			list.APIResources = append(list.APIResources, metav1.APIResource{
				Name: plural, Namespaced: kind != "ProvisioningTenantClass", Kind: kind, Verbs: metav1.Verbs{"get", "list"},
			})
		}
		return list
	}
	group := v1alpha1.SchemeGroupVersion
	switch path {
	case "/api":
		return metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}}
	case "/apis":
		version := metav1.GroupVersionForDiscovery{GroupVersion: group.String(), Version: group.Version}
		return metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{{
			Name: group.Group, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
		}}}
	case "/api/v1":
		return names("v1", "secrets", "pods")
	case "/apis/" + group.String():
		return names(group.String(), "provisioningtenants", "userdefaults", "provisioningtenantclasses")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if object, ok := c.objects[path]; ok {
		return typed(object)
	}
	switch {
	case strings.HasSuffix(path, "/userdefaults"):
		list := v1alpha1.UserDefaultsList{TypeMeta: metav1.TypeMeta{Kind: "UserDefaultsList", APIVersion: group.String()}}
		for _, object := range c.matching(r) {
			list.Items = append(list.Items, *object.(*v1alpha1.UserDefaults)) //nolint:forcetypeassert // by its path
		}
		return list
	case strings.HasSuffix(path, "/provisioningtenantclasses"):
		list := v1alpha1.ProvisioningTenantClassList{TypeMeta: metav1.TypeMeta{Kind: "ProvisioningTenantClassList", APIVersion: group.String()}}
		for _, object := range c.matching(r) {
			list.Items = append(list.Items, *object.(*v1alpha1.ProvisioningTenantClass)) //nolint:forcetypeassert // by its path
		}
		return list
	case strings.HasSuffix(path, "/pods"):
		list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
		for _, object := range c.matching(r) {
			list.Items = append(list.Items, *object.(*corev1.Pod)) //nolint:forcetypeassert // by its path
		}
		return list
	case strings.HasSuffix(path, "/provisioningtenants"):
		list := v1alpha1.ProvisioningTenantList{TypeMeta: metav1.TypeMeta{Kind: "ProvisioningTenantList", APIVersion: group.String()}}
		for _, object := range c.matching(r) {
			list.Items = append(list.Items, *object.(*v1alpha1.ProvisioningTenant)) //nolint:forcetypeassert // by its path
		}
		return list
	}
	w.WriteHeader(http.StatusNotFound)
	return metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: metav1.StatusReasonNotFound, Code: 404}
}

// matching are the objects that a list asks for, by their names.
func (c *cluster) matching(r *http.Request) []client.Object {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		c.Error(err)
	}
	var found []client.Object
	for _, at := range slices.Sorted(maps.Keys(c.objects)) {
		if object := c.objects[at]; under(at, r.URL.Path) && selector.Matches(labels.Set(object.GetLabels())) {
			found = append(found, object)
		}
	}
	return found
}

// under tells whether an object's path is of the list at a path, which may be that of all namespaces.
func under(object, list string) bool {
	if namespaces, plural, all := strings.Cut(list, "/v1alpha1/"); all && !strings.Contains(plural, "/") {
		return strings.HasPrefix(object, namespaces+"/v1alpha1/") && strings.Contains(object, "/"+plural+"/")
	}
	return strings.HasPrefix(object, list+"/")
}

// typed is an object with its kind, which the types leave out.
func typed(object client.Object) client.Object {
	scheme, err := newScheme()
	if err != nil {
		panic(err)
	}
	kinds, _, err := scheme.ObjectKinds(object)
	if err != nil {
		panic(err)
	}
	copied, _ := object.DeepCopyObject().(client.Object)
	copied.GetObjectKind().SetGroupVersionKind(kinds[0])
	return copied
}

// run runs kubectl tenantry and returns what it wrote.
func (c *cluster) run(o Options, args ...string) (code int, out, errOut string) {
	c.Helper()
	var written, errors bytes.Buffer
	given := options(&written, &errors)
	given.Token, given.Forward = o.Token, o.Forward
	if o.Clock != nil {
		given.Clock = o.Clock
	}
	if o.In != nil {
		given.In = o.In
	}
	code = Run(c.Context(), append(args, "--kubeconfig", c.kubeconfig), given)
	if strings.Contains(written.String()+errors.String(), token.Prefix) {
		c.Errorf("kubectl tenantry %s wrote a token", strings.Join(args, " "))
	}
	return code, written.String(), errors.String()
}
