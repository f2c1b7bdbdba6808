package plugin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/observed"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/config/crd"
)

func (s *session) status() *cobra.Command {
	var output, operatorNamespace string
	var watch, exitCode bool
	command := &cobra.Command{
		Use:   "status",
		Short: "Say how the operator is: who leads, what is upgraded, and which tenants are not ready",
		Long: `Say how the operator and all its tenants are: replicas, leader and version, upgrades in
flight and waiting, tenants by the reason of their condition Ready, and whether the CRDs
are older than this plugin.

It reads tenants, and Deployments and the Lease of the operator: of all namespaces, or
else of those that you may read.

` + exitCodeHelp,
		Example: `  kubectl tenantry status

  # During an upgrade, whenever something changes
  kubectl tenantry status -w

  # In a script
  kubectl tenantry status --exit-code -o json`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, _ []string) error {
			write, err := s.structured(command, output)
			if err != nil {
				return err
			}
			if watch && exitCode {
				return usage(command, "--watch goes on until you interrupt it, so --exit-code has nothing to say")
			}
			if write == nil {
				write = func(status any) error {
					found, _ := status.(*Status)
					return found.write(s)
				}
			}
			last := ""
			return s.repeat(command.Context(), watch, func(ctx context.Context) error {
				found, err := s.statusOf(ctx, operatorNamespace)
				if err != nil {
					return untold(exitCode, err)
				}
				if text := found.constant(); text != last {
					last = text
					if err := write(found); err != nil {
						return err
					}
				}
				if exitCode && len(found.Problems) > 0 {
					return &outcome{ExitWrong, nil}
				}
				return nil
			})
		},
	}
	watchFlag(command, &watch)
	exitCodeFlag(command, &exitCode)
	s.operatorNamespaceFlag(command, &operatorNamespace)
	outputFlag(command, &output)
	return command
}

// Status is what status found, as JSON and YAML have it.
type Status struct {
	Operators []OperatorStatus `json:"operators"`
	Upgrades  UpgradeStatus    `json:"upgrades"`
	Tenants   TenantCounts     `json:"tenants"`
	// Problems are what a person should look at.
	Problems []string `json:"problems"`
	// Namespace is the only one whose tenants were counted, "" where those of the cluster were.
	Namespace string `json:"namespace,omitempty"`
}

// OperatorStatus is that of one Deployment of the operator.
type OperatorStatus struct {
	OperatorVersion

	Replicas int32  `json:"replicas"`
	Ready    int32  `json:"ready"`
	Leader   string `json:"leader,omitempty"`
	// RenewedAt is when the leader last renewed its Lease.
	RenewedAt *metav1.MicroTime `json:"renewedAt,omitempty"`

	renewed, maxUpgrades string
}

// UpgradeStatus tells of servers that get another image, or another operator's pods.
type UpgradeStatus struct {
	InFlight int `json:"inFlight"`
	Waiting  int `json:"waiting"`
}

// TenantCounts counts tenants.
type TenantCounts struct {
	Total  int `json:"total"`
	Ready  int `json:"ready"`
	Paused int `json:"paused"`
	// Reasons count those that are not ready by the reason.
	Reasons map[string]int `json:"reasons,omitempty"`
}

func (s *session) statusOf(ctx context.Context, operatorNamespace string) (*Status, error) {
	c, namespace, err := s.connect()
	if err != nil {
		return nil, err
	}
	var tenants v1alpha1.ProvisioningTenantList
	all, err := everywhere(ctx, c, &tenants, namespace)
	if err != nil {
		return nil, err
	}
	deployments, err := findOperators(ctx, c, operatorNamespace, tenants.Items)
	if err != nil {
		return nil, err
	}
	var servers appsv1.DeploymentList
	if _, err := everywhere(ctx, c, &servers, namespace, client.HasLabels{v1alpha1.TenantLabel}); err != nil {
		return nil, err
	}
	leases := map[string]coordinationv1.LeaseSpec{}
	for i := range deployments {
		var lease coordinationv1.Lease
		at := deployments[i].Namespace
		if err := c.Get(ctx, client.ObjectKey{Namespace: at, Name: v1alpha1.LeaderLease}, &lease); client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("look for the leader: %w", err)
		}
		leases[at] = lease.Spec
	}
	config, err := s.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	known, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	outdated, err := crd.NewFollower(known).Outdated(ctx)
	if err != nil {
		return nil, err
	}
	found := judge(deployments, leases, servers.Items, tenants.Items, outdated, s.Clock.Now())
	if !all {
		found.Namespace = namespace
	}
	return found, nil
}

// judge makes of what was read what there is to say.
func judge(
	operators []appsv1.Deployment, leases map[string]coordinationv1.LeaseSpec, servers []appsv1.Deployment,
	tenants []v1alpha1.ProvisioningTenant, outdated []crd.Outdated, now time.Time,
) *Status {
	found := &Status{Operators: []OperatorStatus{}, Problems: []string{}}
	wrong := func(format string, args ...any) {
		found.Problems = append(found.Problems, fmt.Sprintf(format, args...))
	}
	versions := operatorVersions(operators)
	for i := range operators {
		lease := leases[operators[i].Namespace]
		o := OperatorStatus{
			OperatorVersion: versions[i], Replicas: ptr.Deref(operators[i].Spec.Replicas, 1), Ready: operators[i].Status.ReadyReplicas,
			Leader: ptr.Deref(lease.HolderIdentity, ""), RenewedAt: lease.RenewTime,
			maxUpgrades: maxUpgrades(ptr.Deref(containerOf(operators[i].Spec.Template.Spec, v1alpha1.OperatorContainer), corev1.Container{})),
		}
		if lease.RenewTime != nil {
			o.renewed = duration.HumanDuration(max(0, now.Sub(lease.RenewTime.Time))) + " ago"
		}
		if o.Ready < o.Replicas {
			wrong("%d of %d replicas of operator %s/%s are ready", o.Ready, o.Replicas, o.Namespace, o.Name)
		}
		switch {
		case observed.Leads(lease, now):
		case o.Leader == "" || lease.RenewTime == nil:
			wrong("no operator leads in namespace %s", o.Namespace)
		default:
			wrong("the leader in namespace %s has not renewed its Lease for %s", o.Namespace, duration.HumanDuration(now.Sub(lease.RenewTime.Time)))
		}
		found.Operators = append(found.Operators, o)
	}
	if len(operators) == 0 {
		wrong(noOperator)
	}
	for i := range servers {
		if observed.Upgrading(&servers[i]) {
			found.Upgrades.InFlight++
		}
	}
	found.count(tenants)
	for _, reason := range slices.Sorted(maps.Keys(found.Tenants.Reasons)) {
		n := found.Tenants.Reasons[reason]
		wrong("%s not ready: %s", counted(int64(n), "tenant")+" "+verb(n, "is", "are"), reason)
	}
	for _, o := range outdated {
		wrong("CRD %s lacks %s, which this plugin knows", o.Name, strings.Join(o.Lacks, ", "))
	}
	return found
}

// count counts the tenants.
func (f *Status) count(tenants []v1alpha1.ProvisioningTenant) {
	counts := TenantCounts{Total: len(tenants), Reasons: map[string]int{}}
	for i := range tenants {
		t := &tenants[i]
		if isPaused(t) {
			counts.Paused++
		}
		if c := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionRolledOut); c != nil && c.Reason == v1alpha1.ReasonUpgradePending {
			f.Upgrades.Waiting++
		}
		switch ready := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionReady); {
		case ready == nil:
			counts.Reasons["no operator has looked at it"]++
		case ready.Status == metav1.ConditionTrue:
			counts.Ready++
		default:
			counts.Reasons[cmp.Or(ready.Reason, string(ready.Status))]++
		}
	}
	f.Tenants = counts
}

// constant is the status without what changes all the time.
func (f *Status) constant() string {
	same := *f
	same.Operators = slices.Clone(f.Operators)
	for i := range same.Operators {
		same.Operators[i].RenewedAt = nil
	}
	text, err := json.Marshal(same)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (f *Status) write(s *session) error {
	out := tabwriter.NewWriter(printing{s.Out}, 0, 8, 2, ' ', 0)
	for _, o := range f.Operators {
		fmt.Fprintf(out, "Operator:\t%s/%s %s, %d of %d replicas ready\n", o.Namespace, o.Name, o.Version, o.Ready, o.Replicas)
		if o.Leader != "" {
			fmt.Fprintf(out, "Leader:\t%s, renewed %s\n", o.Leader, cmp.Or(o.renewed, "never"))
		}
	}
	fmt.Fprintf(out, "Upgrades:\t%d in flight%s, %s %s\n", f.Upgrades.InFlight, f.limit(), counted(int64(f.Upgrades.Waiting), "tenant"),
		verb(f.Upgrades.Waiting, "waits", "wait"))
	fmt.Fprintf(out, "Tenants:\t%d, %d ready, %d paused\n", f.Tenants.Total, f.Tenants.Ready, f.Tenants.Paused)
	if f.Namespace != "" {
		fmt.Fprintf(out, "\tof namespace %s only, because those of others may not be listed\n", f.Namespace)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if len(f.Problems) == 0 {
		fmt.Fprintln(s.Out, "\nNothing is wrong.")
		return nil
	}
	fmt.Fprintln(s.Out, "\nWhat is wrong:")
	for _, problem := range f.Problems {
		fmt.Fprintf(printing{s.Out}, "  %s\n", problem)
	}
	return nil
}

// limit is how many upgrades may be in flight, where there is one operator that says so.
func (f *Status) limit() string {
	if len(f.Operators) != 1 || f.Operators[0].maxUpgrades == "" {
		return ""
	}
	return " of at most " + f.Operators[0].maxUpgrades
}

// maxUpgrades is how many upgrades may be in flight at a time, by the operator's flag or its default.
func maxUpgrades(container corev1.Container) string {
	return cmp.Or(argument(container, "max-upgrades"), "10")
}
