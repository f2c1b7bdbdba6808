package plugin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/internal/version"
)

func (s *session) version() *cobra.Command {
	var output, operatorNamespace string
	var clientOnly bool
	command := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of this plugin, the operator and the tenants' servers",
		Long: `Print the versions of this plugin, of the operators in the cluster and of the servers
that they run, which are counted by version. A version is what the image's tag says,
or its digest.

It takes the right to list deployments: of all namespaces, or else of the operator's
and of the present one.`,
		Example: `  kubectl tenantry version

  # Without asking the cluster
  kubectl tenantry version --client

  # For a script
  kubectl tenantry version -o json`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, _ []string) error {
			write, err := s.structured(command, output)
			if err != nil {
				return err
			}
			found := Versions{Client: version.Version()}
			if !clientOnly {
				if found, err = s.versions(command, operatorNamespace); err != nil {
					return err
				}
			}
			if write != nil {
				return write(found)
			}
			return found.write(s)
		},
	}
	command.Flags().BoolVar(&clientOnly, "client", false, "print the version of this plugin only")
	s.operatorNamespaceFlag(command, &operatorNamespace)
	outputFlag(command, &output)
	return command
}

func (s *session) operatorNamespaceFlag(command *cobra.Command, namespace *string) {
	command.Flags().StringVar(namespace, "operator-namespace", "", "`namespace` of the operator (default: each that has one)")
	complete(command, "operator-namespace", s.completeNamespaces)
}

// Versions are what version prints, as JSON and YAML have it.
type Versions struct {
	Client    string            `json:"client"`
	Operators []OperatorVersion `json:"operators,omitempty"`
	Servers   []ServerVersion   `json:"servers,omitempty"`
	// Namespace is the only one whose servers were counted, "" where those of the cluster were.
	Namespace string `json:"namespace,omitempty"`
}

// OperatorVersion is that of one Deployment of the operator.
type OperatorVersion struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	Image     string `json:"image"`
	// ServerImage is what it has tenants run.
	ServerImage string `json:"serverImage,omitempty"`
}

// ServerVersion counts tenants by the image that their servers are to run.
type ServerVersion struct {
	Version string `json:"version"`
	Image   string `json:"image"`
	Tenants int    `json:"tenants"`
}

func (s *session) versions(command *cobra.Command, operatorNamespace string) (Versions, error) {
	c, namespace, err := s.connect()
	if err != nil {
		return Versions{}, err
	}
	ctx := command.Context()
	var tenants v1alpha1.ProvisioningTenantList
	if _, err := everywhere(ctx, c, &tenants, namespace); err != nil {
		return Versions{}, err
	}
	operators, err := findOperators(ctx, c, operatorNamespace, tenants.Items)
	if err != nil {
		return Versions{}, err
	}
	var servers appsv1.DeploymentList
	all, err := everywhere(ctx, c, &servers, namespace, client.HasLabels{v1alpha1.TenantLabel})
	if err != nil {
		return Versions{}, err
	}
	found := Versions{Client: version.Version(), Operators: operatorVersions(operators), Servers: serverVersions(servers.Items)}
	if !all {
		found.Namespace = namespace
	}
	return found, nil
}

func operatorVersions(deployments []appsv1.Deployment) []OperatorVersion {
	var found []OperatorVersion
	for i := range deployments {
		d := &deployments[i]
		container := ptr.Deref(containerOf(d.Spec.Template.Spec, v1alpha1.OperatorContainer), corev1.Container{})
		found = append(found, OperatorVersion{
			Namespace: d.Namespace, Name: d.Name, Image: container.Image, Version: imageVersion(container.Image),
			ServerImage: argument(container, "server-image"),
		})
	}
	return found
}

func serverVersions(deployments []appsv1.Deployment) []ServerVersion {
	counts := map[string]int{}
	for i := range deployments {
		if container := containerOf(deployments[i].Spec.Template.Spec, v1alpha1.ServerContainer); container != nil {
			counts[container.Image]++
		}
	}
	var found []ServerVersion
	for _, image := range slices.Sorted(maps.Keys(counts)) {
		found = append(found, ServerVersion{imageVersion(image), image, counts[image]})
	}
	return found
}

// containerOf returns the container of that name, nil where there is none.
func containerOf(pod corev1.PodSpec, name string) *corev1.Container {
	at := slices.IndexFunc(pod.Containers, func(c corev1.Container) bool { return c.Name == name })
	if at < 0 {
		return nil
	}
	return &pod.Containers[at]
}

// argument is the value of a flag of the operator, "" where it is not given.
func argument(container corev1.Container, flag string) string {
	for i, arg := range container.Args {
		name, value, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case name != flag:
		case given:
			return value
		case i+1 < len(container.Args):
			return container.Args[i+1]
		}
	}
	return ""
}

// imageVersion is the tag of an image, or its digest where it has none.
func imageVersion(image string) string {
	name, digest, _ := strings.Cut(image, "@")
	if at := strings.LastIndex(name, ":"); at > strings.LastIndex(name, "/") {
		return name[at+1:]
	}
	return cmp.Or(digest, "latest")
}

func (v Versions) write(s *session) error {
	out := tabwriter.NewWriter(printing{s.Out}, 0, 8, 2, ' ', 0)
	fmt.Fprintf(out, "Plugin:\t%s\n", v.Client)
	for _, o := range v.Operators {
		fmt.Fprintf(out, "Operator:\t%s\t%s/%s runs %s\n", o.Version, o.Namespace, o.Name, o.Image)
	}
	for _, server := range v.Servers {
		fmt.Fprintf(out, "Servers:\t%s\t%s %s %s%s\n", server.Version, counted(int64(server.Tenants), "tenant"), verb(server.Tenants, "runs", "run"),
			server.Image, v.behind(server.Image))
	}
	if v.Namespace != "" {
		fmt.Fprintf(out, "\t\tservers of namespace %s only, because those of others may not be listed\n", v.Namespace)
	}
	return out.Flush()
}

// behind tells of servers whose image is no operator's.
func (v Versions) behind(image string) string {
	var theirs []string
	for _, o := range v.Operators {
		if o.ServerImage == image || o.ServerImage == "" {
			return ""
		}
		if !slices.Contains(theirs, o.ServerImage) {
			theirs = append(theirs, o.ServerImage)
		}
	}
	switch len(theirs) {
	case 0:
		return ""
	case 1:
		return ", which is not the operator's image " + theirs[0]
	default:
		return ", which is not an operator's image: those are " + strings.Join(theirs, " and ")
	}
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
