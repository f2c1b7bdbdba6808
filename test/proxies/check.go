//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/plugin"
)

// check runs kubectl tenantry check, with as much of an API server as it asks for.
func (c *column) check(ctx context.Context) {
	const step = "kubectl tenantry check"
	cluster := httptest.NewServer(http.HandlerFunc(serveTenant))
	defer cluster.Close()
	config := clientcmdapi.NewConfig()
	config.Clusters["run"] = &clientcmdapi.Cluster{Server: cluster.URL}
	config.Contexts["run"] = &clientcmdapi.Context{Cluster: "run", Namespace: "customers"}
	config.CurrentContext = "run"
	kubeconfig := c.caFile + "." + c.name("kubeconfig")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		c.note(step, false, "%s", err)
		return
	}
	defer os.RemoveAll(kubeconfig)
	var out, complaint bytes.Buffer
	plugin.Run(ctx, []string{"check", "wingtip", "--kubeconfig", kubeconfig, "--url", c.base, "--ca-file", c.caFile, "-o", "json"}, plugin.Options{
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &complaint}, Clock: clock.RealClock{}, Token: c.server.token,
	})
	var found plugin.Check
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		c.note(step, false, "%s", complaint.String())
		return
	}
	passed, failed := 0, []string{}
	for _, s := range found.Steps {
		switch s.Outcome {
		case plugin.StepPassed:
			passed++
		case plugin.StepFailed:
			failed = append(failed, s.Name)
		case plugin.StepSkipped:
		}
	}
	saw := fmt.Sprintf("%d of %d", passed, len(found.Steps))
	if len(failed) > 0 {
		saw += ", fails " + strings.Join(failed, ", ")
	}
	c.note(step, passed == len(found.Steps), "%s", saw)
}

// serveTenant is an API server with one tenant.
func serveTenant(w http.ResponseWriter, r *http.Request) {
	version := v1alpha1.SchemeGroupVersion
	var answer any = &v1alpha1.ProvisioningTenant{
		TypeMeta:   metav1.TypeMeta{APIVersion: version.String(), Kind: "ProvisioningTenant"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "wingtip"},
	}
	if r.URL.Path == "/apis/"+version.String() {
		answer = &metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}, GroupVersion: version.String(),
			APIResources: []metav1.APIResource{{Name: "provisioningtenants", Kind: "ProvisioningTenant", Namespaced: true, Verbs: metav1.Verbs{"get"}}},
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}
