package controllers

import (
	"context"
	"errors"
	"testing"

	"github.com/go-logr/logr"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/controllers/desired"
)

// endpointLists is an API server that knows lists of EndpointSlices alone, by NAMESPACE/SERVICE.
type endpointLists struct {
	client.Reader
	ports   map[string]map[string]int32
	refused map[string]error
	asked   int
	during  func() // each question
}

func (e *endpointLists) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	e.asked++
	if e.during != nil {
		e.during()
	}
	var asked client.ListOptions
	asked.ApplyOptions(opts)
	name, _ := asked.LabelSelector.Requirements()
	key := asked.Namespace + "/" + name[0].Values().UnsortedList()[0]
	if err := e.refused[asked.Namespace]; err != nil {
		return err
	}
	found := list.(*discoveryv1.EndpointSliceList) //nolint:forcetypeassert // it is asked for nothing else
	for port, number := range e.ports[key] {
		found.Items = append(found.Items, discoveryv1.EndpointSlice{Ports: []discoveryv1.EndpointPort{{Name: &port, Port: &number}, {Name: new("without")}}})
	}
	return nil
}

func TestPortsAreThoseBehindTheClustersServices(t *testing.T) {
	t.Parallel()
	denied := map[string]error{
		"default":       apierrors.NewForbidden(discoveryv1.Resource("endpointslices"), "", nil),
		"kube-system":   apierrors.NewForbidden(discoveryv1.Resource("endpointslices"), "", nil),
		"openshift-dns": apierrors.NewForbidden(discoveryv1.Resource("endpointslices"), "", nil),
	}
	for name, row := range map[string]struct {
		ports   map[string]map[string]int32
		refused map[string]error
		given   desired.ClusterPorts
		want    desired.ClusterPorts
	}{
		"minikube": {
			ports: map[string]map[string]int32{"default/kubernetes": {"https": 8443}, "kube-system/kube-dns": {"dns": 53, "dns-tcp": 53, "metrics": 9153}},
			want:  desired.ClusterPorts{API: []int32{8443}, DNS: []int32{53}},
		},
		"OpenShift": {
			ports: map[string]map[string]int32{"default/kubernetes": {"https": 6443}, "openshift-dns/dns-default": {"dns": 5353, "dns-tcp": 5353, "metrics": 9154}},
			want:  desired.ClusterPorts{API: []int32{6443}, DNS: []int32{5353}},
		},
		"a port for each protocol":      {ports: map[string]map[string]int32{"kube-system/kube-dns": {"dns": 8054, "dns-tcp": 8053}}, want: desired.ClusterPorts{DNS: []int32{8053, 8054}}},
		"neither is there":              {},
		"neither may be listed":         {refused: denied},
		"given where none may be asked": {refused: denied, given: desired.ClusterPorts{API: []int32{16443}}, want: desired.ClusterPorts{API: []int32{16443}}},
		"given wins": {
			ports: map[string]map[string]int32{"default/kubernetes": {"https": 8443}, "kube-system/kube-dns": {"dns": 5353}},
			given: desired.ClusterPorts{API: []int32{1, 2}, DNS: []int32{3}}, want: desired.ClusterPorts{API: []int32{1, 2}, DNS: []int32{3}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			follower := &clusterPorts{live: &endpointLists{ports: row.ports, refused: row.refused}, given: row.given, log: logr.Discard()}
			got, err := follower.now(t.Context())
			if err != nil || !got.Equal(row.want) {
				t.Errorf("got %v, %v, want %v", got, err, row.want)
			}
		})
	}
}

func TestPortsThatAreNotKnownYetAreLookedForAndThoseThatAreStayThroughAnOutage(t *testing.T) {
	t.Parallel()
	outage := map[string]error{"default": errors.New("no answer")}
	lists := &endpointLists{ports: map[string]map[string]int32{"default/kubernetes": {"https": 8443}}, refused: outage}
	follower := &clusterPorts{live: lists, given: desired.ClusterPorts{DNS: []int32{53}}, log: logr.Discard()}
	if got, err := follower.now(t.Context()); err == nil {
		t.Fatalf("a policy is made with %v while the API server does not say which ports it has", got)
	}
	lists.refused = nil
	want := desired.ClusterPorts{API: []int32{8443}, DNS: []int32{53}}
	if got, err := follower.now(t.Context()); err != nil || !got.Equal(want) {
		t.Fatalf("got %v, %v, want %v", got, err, want)
	}
	lists.refused = outage
	if changed, err := follower.look(t.Context()); err == nil || changed {
		t.Errorf("an outage is told as changed=%v, %v", changed, err)
	}
	asked := lists.asked
	if got, err := follower.now(t.Context()); err != nil || !got.Equal(want) || lists.asked != asked {
		t.Errorf("in an outage the ports are %v, %v, after %d questions, want %v without one", got, err, lists.asked-asked, want)
	}
	lists.refused, lists.ports["default/kubernetes"]["https"] = nil, 6443
	if changed, err := follower.look(t.Context()); err != nil || !changed {
		t.Errorf("other ports are told as changed=%v, %v", changed, err)
	}
	lists.during = func() { // or reconciles would wait for the API server with it
		if got, err := follower.now(t.Context()); err != nil || len(got.API) == 0 {
			t.Errorf("while somebody looks the ports are %v, %v", got, err)
		}
	}
	if changed, err := follower.look(t.Context()); err != nil || changed {
		t.Errorf("the same ports are told as changed=%v, %v", changed, err)
	}
}
