package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// contract is what an operator and its servers rely on in each other.
type contract struct {
	// Pods are what the operator asks of the pods that it makes, by what these are for.
	Pods map[string]pod `json:"pods"`
	// Flags are those that each command of the server takes.
	Flags map[string][]string `json:"flags"`
	// Paths are those that a server answers on its administrative port.
	Paths []string `json:"paths"`
	// Verifiers are the fields of the verifier Secret, after the key.
	Verifiers []string `json:"verifiers"`
}

// pod is what is asked of one.
type pod struct {
	// Command of the server that it runs.
	Command string `json:"command"`
	// Arguments have those with values that differ from tenant to tenant in capitals.
	Arguments   []string `json:"arguments"`
	Environment []string `json:"environment"`
	// Mounts are the paths at which volumes are mounted.
	Mounts []string `json:"mounts"`
	// Ports are names and numbers.
	Ports []string `json:"ports"`
	// Probes are paths on the administrative port.
	Probes []string `json:"probes"`
	// Rights on the API server, as verb, resource and name.
	Rights []string `json:"rights,omitempty"`
}

const (
	// volume names the pod of a server whose directory is on a volume.
	volume = "server on a volume"

	serve   = "scimserver"
	move    = serve + " move"
	connect = serve + " connect"
)

// present is the contract of this tree.
func present(ctx context.Context) (contract, error) {
	c := contract{Flags: map[string][]string{}, Paths: paths(), Verifiers: verifiers()}
	var failures []error
	for _, command := range []string{serve, move, connect} {
		flags, err := flagsOf(ctx, command)
		c.Flags[command], failures = flags, append(failures, err)
	}
	pods, err := podsOf(tenant())
	c.Pods = pods
	return c, errors.Join(append(failures, err)...)
}

func paths() []string {
	return []string{v1alpha1.HealthPath, v1alpha1.ReadyPath, v1alpha1.MetricsPath, v1alpha1.LogPath, v1alpha1.ExportPath, v1alpha1.ImportPath}
}

func verifiers() []string { return fieldsOf(reflect.TypeFor[token.Set](), v1alpha1.VerifierKey) }

// tenant has all that changes what its servers are given. Those in a database have another engine.
func tenant() desired.Tenant {
	t := desired.Tenant{
		Resource:       &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Namespace: "NAMESPACE", Name: "NAME", UID: "UID"}},
		ServerImage:    "IMAGE",
		Host:           "HOST",
		EntraAuthority: "URL",
		UserDefaults:   []string{"USERDEFAULTS"},
		Engine:         v1alpha1.StorageSQLite,
	}
	spec := &t.Resource.Spec
	spec.SetDefaults()
	spec.Storage.PostgreSQL = &v1alpha1.PostgreSQLStorage{ConnectionSecretRef: v1alpha1.ConnectionSecretReference{Name: "SECRET", Key: "KEY"}, Port: 5432}
	t.Claim = desired.NewClaim(t.Resource)
	return t
}

func podsOf(t desired.Tenant) (map[string]pod, error) {
	database := t
	database.Engine, database.Claim = v1alpha1.StoragePostgreSQL, nil
	onVolume, errVolume := desired.Deployment(t)
	inDatabase, errDatabase := desired.Deployment(database)
	moving, errMove := desired.Move(t)
	connecting, errConnect := desired.Connect(t)
	if err := errors.Join(errVolume, errDatabase, errMove, errConnect); err != nil {
		return nil, err
	}
	return map[string]pod{
		volume:                 podOf(onVolume.Spec.Template, desired.Role(t)),
		"server in a database": podOf(inDatabase.Spec.Template, desired.Role(database)),
		"move":                 podOf(moving.Spec.Template, nil),
		"connection":           podOf(connecting.Spec.Template, desired.Role(t)),
	}, nil
}

func podOf(template *corev1ac.PodTemplateSpecApplyConfiguration, role *rbacv1ac.RoleApplyConfiguration) pod {
	container := template.Spec.Containers[0]
	p := pod{Command: serve}
	for _, argument := range container.Args {
		if strings.HasPrefix(argument, "-") {
			p.Arguments = append(p.Arguments, argument)
		} else {
			p.Command += " " + argument
		}
	}
	for _, variable := range container.Env {
		p.Environment = append(p.Environment, *variable.Name)
	}
	for _, mount := range container.VolumeMounts {
		p.Mounts = append(p.Mounts, *mount.MountPath)
	}
	for _, port := range container.Ports {
		p.Ports = append(p.Ports, fmt.Sprintf("%s %d/%s", *port.Name, *port.ContainerPort, *port.Protocol))
	}
	for _, probe := range []*corev1ac.ProbeApplyConfiguration{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
		if probe != nil && !slices.Contains(p.Probes, *probe.HTTPGet.Path) {
			p.Probes = append(p.Probes, *probe.HTTPGet.Path)
		}
	}
	if role != nil {
		p.Rights = rightsOf(role.Rules)
	}
	for _, list := range [][]string{p.Arguments, p.Environment, p.Mounts, p.Ports, p.Probes, p.Rights} {
		slices.Sort(list)
	}
	return p
}

func rightsOf(rules []rbacv1ac.PolicyRuleApplyConfiguration) (rights []string) {
	for _, rule := range rules {
		for _, verb := range rule.Verbs {
			rights = append(rights, strings.Join([]string{verb, strings.TrimSuffix(rule.Resources[0]+"."+rule.APIGroups[0], "."), rule.ResourceNames[0]}, " "))
		}
	}
	return rights
}

var flagLine = regexp.MustCompile(`(?m)^  -([-a-z]+)`)

// flagsOf asks a command of the server which flags it takes.
func flagsOf(ctx context.Context, command string) ([]string, error) {
	var help bytes.Buffer
	arguments := append(append([]string{"run", "./cmd/scimserver"}, strings.Fields(command)[1:]...), "--help")
	asked := exec.CommandContext(ctx, "go", arguments...) //nolint:gosec // they are ours
	asked.Stdout, asked.Stderr = &help, &help
	_ = asked.Run() // which ends with an exit code, as after any other --help of package flag
	var flags []string
	for _, found := range flagLine.FindAllStringSubmatch(help.String(), -1) {
		flags = append(flags, found[1])
	}
	if len(flags) == 0 {
		return nil, fmt.Errorf("%s says of no flag: %s", asked, help.String())
	}
	slices.Sort(flags)
	return flags, nil
}

// fieldsOf are the paths of the fields that a type has in JSON.
func fieldsOf(t reflect.Type, at string) (found []string) {
	switch t.Kind() {
	case reflect.Slice:
		return fieldsOf(t.Elem(), at+"[]")
	case reflect.Map:
		return fieldsOf(t.Elem(), at+"[*]")
	case reflect.Pointer:
		return fieldsOf(t.Elem(), at)
	case reflect.Struct:
		if t != reflect.TypeFor[time.Time]() {
			break
		}
		return []string{at}
	default:
		return []string{at}
	}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		found = append(found, fieldsOf(field.Type, at+"."+name)...)
	}
	return found
}
