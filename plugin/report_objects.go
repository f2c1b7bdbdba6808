package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/config/crd"
)

// kind is one that a report has, as in apps/v1 Deployment.
func kind(apiVersion, kind string) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(apiVersion, kind)
}

// childKinds are those of the objects that the operator makes for a tenant, and of what others make of them.
func childKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		kind("apps/v1", "Deployment"), kind("apps/v1", "ReplicaSet"), kind("v1", "Pod"), kind("v1", "Service"), kind("networking.k8s.io/v1", "Ingress"),
		kind("gateway.networking.k8s.io/v1", "HTTPRoute"), kind("v1", "PersistentVolumeClaim"), kind("batch/v1", "Job"),
		kind("networking.k8s.io/v1", "NetworkPolicy"), kind("autoscaling/v2", "HorizontalPodAutoscaler"), kind("policy/v1", "PodDisruptionBudget"),
	}
}

// list reads the objects of a kind, of which select has those for the report.
func (b *bundle) list(
	ctx context.Context, gvk schema.GroupVersionKind, fit func(*unstructured.Unstructured) bool, which ...client.ListOption,
) []map[string]any {
	found := &unstructured.UnstructuredList{}
	found.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	err := b.List(ctx, found, which...)
	if meta.IsNoMatchError(err) {
		b.missing = append(b.missing, gvk.Kind+" objects: this kind is not installed in the cluster")
		return nil
	}
	b.lacks(gvk.Kind+" objects", err)
	var objects []map[string]any
	for i := range found.Items {
		if object := &found.Items[i]; fit == nil || fit(object) {
			objects = append(objects, object.Object)
		}
	}
	return objects
}

// get reads one object; nil where it is not there.
func (b *bundle) get(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string) map[string]any {
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(gvk)
	err := b.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, found)
	b.lacks(gvk.Kind+" "+name, err)
	if err != nil {
		return nil
	}
	return found.Object
}

// add puts objects into a file, if there are any.
func (b *bundle) add(name, about string, objects ...map[string]any) {
	objects = slices.DeleteFunc(objects, func(o map[string]any) bool { return o == nil })
	if len(objects) > 0 {
		b.objects = append(b.objects, objectFile{name, about, objects})
	}
}

// tenantObjects adds the tenant with all that belongs to it, and returns its pods.
func (b *bundle) tenantObjects(ctx context.Context, tenant *v1alpha1.ProvisioningTenant) (pods []corev1.Pod) {
	in, ours := client.InNamespace(tenant.Namespace), client.MatchingLabels{v1alpha1.TenantLabel: tenant.Name}
	group := v1alpha1.SchemeGroupVersion.String()
	b.add("tenant.yaml", "the tenant, its spec, status and conditions", b.get(ctx, kind(group, "ProvisioningTenant"), tenant.Namespace, tenant.Name))
	b.add("userdefaults.yaml", "the UserDefaults of the tenant", b.list(ctx, kind(group, "UserDefaults"), func(u *unstructured.Unstructured) bool {
		name, _, _ := unstructured.NestedString(u.Object, "spec", "tenantRef", "name")
		return name == tenant.Name
	}, in)...)
	var names []string
	for _, gvk := range childKinds() {
		objects := b.list(ctx, gvk, nil, in, ours)
		b.add("children/"+strings.ToLower(gvk.Kind)+".yaml", "each "+gvk.Kind+" of the tenant", objects...)
		if gvk.Kind == "Pod" {
			pods = b.podsOf(objects)
		}
		for _, object := range objects {
			name, _, _ := unstructured.NestedString(object, "metadata", "name")
			names = append(names, name)
			if gvk.Kind == "PersistentVolumeClaim" {
				b.volume(ctx, name, object)
			}
		}
	}
	b.add("events.yaml", "events of the tenant and of its objects, of a controller that is not known without their messages",
		b.list(ctx, kind("v1", "Event"), func(u *unstructured.Unstructured) bool {
			about, _, _ := unstructured.NestedString(u.Object, "involvedObject", "name")
			return about == tenant.Name || slices.Contains(names, about) || strings.HasPrefix(about, tenant.Name+v1alpha1.ServerSuffix)
		}, in)...)
	return pods
}

// podsOf are the pods among objects that were read.
func (b *bundle) podsOf(objects []map[string]any) []corev1.Pod {
	pods := make([]corev1.Pod, len(objects))
	for i, object := range objects {
		b.lacks("a pod", runtime.DefaultUnstructuredConverter.FromUnstructured(object, &pods[i]))
	}
	return pods
}

// volume adds the volume of a claim and its class.
func (b *bundle) volume(ctx context.Context, name string, claim map[string]any) {
	var objects []map[string]any
	if volume, _, _ := unstructured.NestedString(claim, "spec", "volumeName"); volume != "" {
		objects = append(objects, b.get(ctx, kind("v1", "PersistentVolume"), "", volume))
	}
	if class, _, _ := unstructured.NestedString(claim, "spec", "storageClassName"); class != "" {
		objects = append(objects, b.get(ctx, kind("storage.k8s.io/v1", "StorageClass"), "", class))
	}
	b.add("children/volume-"+name+".yaml", "the volume of claim "+name+" and its StorageClass", objects...)
}

// secrets says of the tenant's Secrets which keys they have, and how long each value is. The values are read to be taken out of all texts.
func (b *bundle) secrets(ctx context.Context, tenant *v1alpha1.ProvisioningTenant) {
	names := []string{tenant.Name + v1alpha1.VerifierSuffix}
	for _, wanted := range token.Wanted(tenant) {
		name, _ := wanted.Secret(tenant.Name)
		names = append(names, name)
	}
	if database := tenant.Spec.Storage.PostgreSQL; database != nil {
		names = append(names, database.ConnectionSecretRef.Name)
	}
	if tls := tenant.Spec.Exposure.IngressTLS(); tls != nil && tls.SecretName != "" {
		names = append(names, tls.SecretName)
	}
	for _, pull := range tenant.Spec.Server.Template.Spec.ImagePullSecrets {
		names = append(names, pull.Name)
	}
	slices.Sort(names)
	public := []string{
		v1alpha1.CredentialsTenantURLKey, v1alpha1.CredentialsTokenURLKey, v1alpha1.ReaderURIKey, v1alpha1.ReaderEntraTenantIDKey, v1alpha1.ReaderExpiresAtKey,
	}
	var lines []string
	for _, name := range slices.Compact(names) {
		b.redact.Know(name)
		var secret corev1.Secret
		if err := b.Get(ctx, client.ObjectKey{Namespace: tenant.Namespace, Name: name}, &secret); err != nil {
			if client.IgnoreNotFound(err) == nil {
				lines = append(lines, name+": not there")
			}
			b.lacks("Secret "+name, err)
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: type %s, made %s", name, secret.Type, secret.CreationTimestamp.UTC().Format("2006-01-02T15:04:05Z")))
		var keys []string
		for key, value := range secret.Data {
			keys = append(keys, fmt.Sprintf("  %s: %d bytes", key, len(value)))
			if !slices.Contains(public, key) {
				b.hide(string(value))
			}
		}
		slices.Sort(keys)
		lines = append(lines, keys...)
	}
	b.texts = append(b.texts, textFile{"secrets.txt", "names, keys and lengths of the tenant's Secrets", lines, func(line string) string { return line }})
}

// hide takes a secret out of all texts, and what it is made of where it is a URL.
func (b *bundle) hide(secret string) {
	b.redact.Hide(secret)
	b.redact.Hide(base64.StdEncoding.EncodeToString([]byte(secret)))
	b.redact.Hide(url.QueryEscape(secret))
	at, err := url.Parse(strings.TrimSpace(secret))
	if err != nil || at.Host == "" {
		return
	}
	b.redact.Hide(at.Hostname())
	b.redact.Hide(at.User.Username())
	if password, set := at.User.Password(); set {
		b.redact.Hide(password)
		b.redact.Hide(url.QueryEscape(password))
	}
}

// leases adds those by which the tenant holds its hosts.
func (b *bundle) leases(ctx context.Context, namespace string, tenant *v1alpha1.ProvisioningTenant) {
	if namespace == "" {
		b.lacks("Leases of hosts", errors.New("no operator has said in which namespace it is"))
		return
	}
	identity := tenant.Namespace + "/" + tenant.Name + "/"
	b.add("leases.yaml", "Leases of the tenant's hosts", b.list(ctx, kind("coordination.k8s.io/v1", "Lease"), func(u *unstructured.Unstructured) bool {
		holder, _, _ := unstructured.NestedString(u.Object, "spec", "holderIdentity")
		return strings.HasPrefix(holder, identity)
	}, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.LeaseLabel: v1alpha1.LeaseOfHost})...)
}

// cluster adds versions: of the API server, and of the CRDs.
func (b *bundle) cluster(ctx context.Context) {
	known, err := discovery.NewDiscoveryClientForConfig(b.config)
	b.lacks("the version of the cluster", err)
	if err != nil {
		return
	}
	var lines []string
	if at, err := known.ServerVersion(); err == nil {
		lines = append(lines, "Kubernetes "+at.GitVersion+" on "+at.Platform)
	} else {
		b.lacks("the version of the cluster", err)
	}
	outdated, err := crd.NewFollower(known).Outdated(ctx)
	b.lacks("which fields the CRDs lack", err)
	for _, o := range outdated {
		lines = append(lines, fmt.Sprintf("%s lacks %s, which this version of the plugin knows", o.Name, strings.Join(o.Lacks, ", ")))
	}
	for _, name := range []string{"provisioningtenants", "userdefaults"} {
		name += "." + v1alpha1.GroupName
		object := b.get(ctx, kind("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "", name)
		if spec, err := json.Marshal(object["spec"]); err == nil && object != nil {
			sum := sha256.Sum256(spec)
			lines = append(lines, fmt.Sprintf("%s has the hash %s", name, hex.EncodeToString(sum[:6])))
		}
	}
	b.texts = append(b.texts, textFile{"cluster.txt", "versions of Kubernetes and of the CRDs", lines, func(line string) string { return line }})
}
