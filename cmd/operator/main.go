// Command operator runs the controllers that turn ProvisioningTenants into SCIM servers.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers"
	"github.com/tenantry/tenantry/controllers/classes"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/internal/internet"
	"github.com/tenantry/tenantry/internal/outage"
	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/internal/version"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/filter"
)

const (
	// entraTimeout bounds one question to the login authority.
	entraTimeout = 5 * time.Second
	// longestReservation is a year.
	longestReservation = 365 * 24 * time.Hour
	// readyTimeout bounds one look whether the caches are filled.
	readyTimeout = time.Second
)

func main() {
	if err := panicked.Guard(func() error { return run(ctrl.SetupSignalHandler(), os.Args[1:]) }); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "operator:", err)
		}
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	controllers.Options
	namespaces                   []string
	metricsAddress, probeAddress string
	metricsSecure                bool
	metricsCertDir               string
	leaderElection               bool
	podIDs                       podIDs
	logFormat                    string
	logLevel                     slog.Level
	version                      bool
}

func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("operator", flag.ContinueOnError)
	flags.StringVar(&s.ServerImage, "server-image", "", "`image` of the SCIM server; required")
	flags.StringVar(&s.BaseDomain, "base-domain", "", "`domain` under which a tenant without a host gets one: <name>.<domain>")
	flags.StringVar(&s.IngressClass, "ingress-class", "", "IngressClass `name` for tenants that name none; the cluster's default where left out")
	flags.Func("allow-hosts", "`rule` that lets tenants of some namespaces claim some hosts, in YAML or JSON: "+
		`{namespaceSelector: {matchLabels: {team: a}}, hosts: ["*.a.example.com"]}; may be given several times; every host is allowed where left out`,
		func(text string) error {
			rule, err := hosts.ParseRule(text)
			s.HostRules = append(s.HostRules, rule)
			return err
		})
	flags.DurationVar(&s.HostReservation, "host-reservation", 24*time.Hour,
		"how `long` a host that a tenant let go stays reserved for its namespace, in whole seconds; 0 for not at all")
	flags.Func("gateway", "Gateway `[kind/]namespace/name` for tenants that are exposed by a Gateway and name none; the kind is Gateway or ListenerSet",
		func(text string) (err error) {
			s.Gateway, err = parseGateway(text)
			return err
		})
	flags.Func("default-class", "ProvisioningTenantClass to make, in `YAML` or JSON: {metadata: {name: standard}, spec: {…}}, with the annotation of the "+
		"default class where it is to be that; none where left out", func(text string) (err error) {
		s.DefaultClass, err = classes.Read(text)
		return err
	})
	flags.StringVar(&s.EntraAuthority, "entra-authority", "",
		"base `URL` of a login authority to verify Entra tenants with, in place of those of Microsoft's clouds; the SCIM servers follow it too")
	flags.Func("api-server-ports", "`ports` of the Kubernetes API behind its Service, separated by commas, to which NetworkPolicies let servers out; "+
		"found out where left out", parsePorts(&s.Ports.API))
	flags.Func("dns-ports", "the same `ports` of the cluster's DNS", parsePorts(&s.Ports.DNS))
	flags.Func("pod-ids", "`who` chooses user and groups of the servers' pods: fixed, which is 65532; platform, as OpenShift does and wants it; or auto, "+
		"which is platform where the cluster has OpenShift's API group and fixed elsewhere (default auto)", s.podIDs.parse)
	flags.IntVar(&s.Concurrency, "concurrency", 4, "`number` of resources of each kind that are reconciled at a time")
	flags.IntVar(&s.MaxUpgrades, "max-upgrades", 10,
		"`number` of servers that restart at a time because of another image or operator; one that does not become available counts, so a bad image stops")
	flags.Func("watch-namespaces", "`namespaces` whose tenants are served, separated by commas; all of the cluster where left out",
		parseNamespaces(&s.namespaces))
	flags.StringVar(&s.metricsAddress, "metrics-bind-address", ":8443", "`address` of the metrics; 0 for none")
	flags.BoolVar(&s.metricsSecure, "metrics-secure", true,
		"serve the metrics over HTTPS, and only to those whom the API server lets get /metrics; plain and to everybody otherwise")
	flags.StringVar(&s.metricsCertDir, "metrics-cert-dir", "",
		"`directory` with tls.crt and tls.key for the metrics, followed when they change; a self-signed certificate where left out")
	flags.StringVar(&s.probeAddress, "health-probe-bind-address", ":8081", "`address` of /healthz and /readyz; 0 for none")
	flags.BoolVar(&s.leaderElection, "leader-elect", false, "elect a leader, so that several replicas can run")
	flags.StringVar(&s.LeaseNamespace, "lease-namespace", "",
		"`namespace` of the lease by which a leader is elected, and of those that say who holds a host; the operator's own where left out")
	flags.StringVar(&s.logFormat, "log-format", "json", "`format` of the log on standard error: json or text")
	flags.TextVar(&s.logLevel, "log-level", slog.LevelInfo, "`level` of the log: debug, info, warn or error")
	flags.BoolVar(&s.version, "version", false, "print the version and end")
	if err := flags.Parse(args); err != nil {
		return settings{}, err
	}
	switch {
	case s.version:
		return s, nil
	case flags.NArg() > 0:
		return settings{}, fmt.Errorf("unexpected argument %q; see --help", flags.Arg(0))
	case s.ServerImage == "":
		return settings{}, errors.New("name the image of the SCIM server with --server-image")
	case s.EntraAuthority != "" && !isBaseURL(s.EntraAuthority):
		return settings{}, errors.New("--entra-authority must be like https://login.example.com or https://login.example.com:8443")
	case s.Concurrency < 1:
		return settings{}, fmt.Errorf("--concurrency must be at least 1, not %d", s.Concurrency)
	case s.MaxUpgrades < 1:
		return settings{}, fmt.Errorf("--max-upgrades must be at least 1, not %d", s.MaxUpgrades)
	case s.HostReservation < 0, s.HostReservation > longestReservation, s.HostReservation%time.Second != 0:
		return settings{}, fmt.Errorf("--host-reservation must be whole seconds, at most %s, not %s", longestReservation, s.HostReservation)
	case s.BaseDomain != "" && len(validation.IsDNS1123Subdomain(hosts.Canonical(s.BaseDomain))) > 0:
		return settings{}, fmt.Errorf("--base-domain must be a DNS name such as scim.example.com, not %q", s.BaseDomain)
	case s.metricsCertDir != "" && !s.metricsSecure:
		return settings{}, errors.New("--metrics-cert-dir needs --metrics-secure")
	case s.logLevel < slog.LevelDebug:
		// Below, client-go would log the bodies of requests, and with them tokens.
		return settings{}, fmt.Errorf("--log-level must be debug or above, not %s", s.logLevel)
	case s.logFormat != "json" && s.logFormat != "text":
		return settings{}, fmt.Errorf("--log-format must be json or text, not %q", s.logFormat)
	}
	return s, nil
}

// isBaseURL tells whether text is a URL with a host, and with a port, if it names one, that there can be.
func isBaseURL(text string) bool {
	at, err := url.Parse(text)
	if err != nil || at.Scheme != "https" && at.Scheme != "http" || at.Hostname() == "" || at.User != nil || at.RawQuery != "" {
		return false
	}
	port, err := strconv.ParseUint(cmp.Or(at.Port(), "443"), 10, 16)
	return err == nil && port > 0
}

// parseGateway reads a reference to a Gateway; the kind is Gateway where it has none.
func parseGateway(text string) (v1alpha1.GatewayReference, error) {
	kind, parts := v1alpha1.KindGateway, strings.Split(text, "/")
	if len(parts) == 3 {
		kind, parts = v1alpha1.GatewayKind(parts[0]), parts[1:]
	}
	switch {
	case len(parts) != 2 || parts[0] == "" || parts[1] == "":
		return v1alpha1.GatewayReference{}, errors.New("must be [kind/]namespace/name")
	case kind != v1alpha1.KindGateway && kind != v1alpha1.KindListenerSet:
		return v1alpha1.GatewayReference{}, fmt.Errorf("kind %q must be Gateway or ListenerSet", kind)
	}
	return v1alpha1.GatewayReference{Group: v1alpha1.GatewayAPI, Kind: kind, Namespace: parts[0], Name: parts[1]}, nil
}

// parseNamespaces reads a list of namespaces. An empty one is refused: it may be a variable that somebody forgot to set, and
// the operator would serve the whole cluster.
func parseNamespaces(into *[]string) func(string) error {
	return func(text string) error {
		*into = strings.Split(text, ",")
		for _, namespace := range *into {
			if len(validation.IsDNS1123Label(namespace)) > 0 {
				return fmt.Errorf("%q is not the name of a namespace", namespace)
			}
		}
		return nil
	}
}

// parsePorts reads a list of ports.
func parsePorts(into *[]int32) func(string) error {
	return func(text string) error {
		var ports []int32
		for item := range strings.SplitSeq(text, ",") {
			number, err := strconv.ParseUint(item, 10, 16)
			if err != nil || number == 0 {
				return fmt.Errorf("%q is not a port from 1 to 65535", item)
			}
			ports = append(ports, int32(number))
		}
		slices.Sort(ports)
		*into = slices.Compact(ports)
		return nil
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "check" {
		return check(ctx, args[1:])
	}
	s, err := parse(args)
	if err != nil {
		return err
	}
	if s.version {
		return version.Print(os.Stdout, "operator")
	}
	lines := outage.NewLog(handler(s), clock.RealClock{})
	log := logr.FromSlogHandler(lines.Handler())
	log.Info("The operator starts", "version", version.Version())
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	runtime.PanicHandlers = []func(context.Context, any){panicked.Handler(log)}

	scheme, err := controllers.NewScheme()
	if err != nil {
		return err
	}
	if s.LeaseNamespace == "" {
		if s.LeaseNamespace, err = ownNamespace(); err != nil {
			return err
		}
	}
	cacheOptions, err := controllers.CacheOptions(s.LeaseNamespace)
	if err != nil {
		return err
	}
	s.Namespaces = only(s.namespaces)
	cacheOptions.DefaultNamespaces = s.Namespaces
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	config.Wrap(lines.Transport)
	mgr, err := ctrl.NewManager(config, manager.Options{
		Scheme:                  scheme,
		Cache:                   cacheOptions,
		Metrics:                 metricsOptions(s),
		HealthProbeBindAddress:  s.probeAddress,
		LeaderElection:          s.leaderElection,
		LeaderElectionID:        v1alpha1.LeaderLease,
		LeaderElectionNamespace: s.LeaseNamespace,
		// The process ends as soon as the manager does, so the next leader need not wait for the lease to run out.
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return fmt.Errorf("make the manager: %w", err)
	}
	if err := errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("caches", filled(mgr.GetCache()))); err != nil {
		return fmt.Errorf("add the health checks: %w", err)
	}

	if s.PlatformIDs, err = s.podIDs.arePlatforms(config); err != nil {
		return err
	}
	if s.PlatformIDs {
		log.Info("The cluster chooses the user and groups of tenants' pods")
	}
	useServersParser(&s.Options)
	s.HTTP = &http.Client{Timeout: entraTimeout, Transport: &internet.Transport{}}
	s.Random = rand.Reader
	s.Registerer = metrics.Registry
	s.Clock = clock.RealClock{}
	if err := controllers.Setup(ctx, mgr, s.Options); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// ownNamespace is the namespace of the pod that the operator runs in.
func ownNamespace() (string, error) {
	const file = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	namespace, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("find the operator's namespace, which --lease-namespace would name: %w", err)
	}
	return strings.TrimSpace(string(namespace)), nil
}

// only limits the cache to namespaces; none means all.
func only(namespaces []string) map[string]cache.Config {
	if len(namespaces) == 0 {
		return nil
	}
	selected := map[string]cache.Config{}
	for _, namespace := range namespaces {
		selected[namespace] = cache.Config{}
	}
	return selected
}

func metricsOptions(s settings) metricsserver.Options {
	options := metricsserver.Options{BindAddress: s.metricsAddress}
	if s.metricsSecure {
		options.SecureServing = true
		options.CertDir = s.metricsCertDir
		options.FilterProvider = filters.WithAuthenticationAndAuthorization
		// A scraper needs no HTTP/2, and without it there are none of its attacks.
		options.TLSOpts = []func(*tls.Config){func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }}
	}
	return options
}

// filled is ready once the operator has read all that it follows: the CRDs are there and its rights are enough.
func filled(caches cache.Cache) healthz.Checker {
	return func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if !caches.WaitForCacheSync(ctx) {
			return errors.New("the caches are not filled yet")
		}
		return nil
	}
}

// useServersParser checks UserDefaults with the very code that will apply them.
func useServersParser(options *controllers.Options) {
	options.CheckFilter = func(declared v1alpha1.Schema, text string) error {
		_, err := filter.Parse(directory.Users(declared), text)
		return err
	}
	options.CheckAttribute = func(declared v1alpha1.Schema, path, value string) error {
		return directory.CheckAttribute(directory.Users(declared), path, value)
	}
}

func handler(s settings) slog.Handler {
	options := &slog.HandlerOptions{Level: s.logLevel}
	if s.logFormat == "text" {
		return slog.NewTextHandler(os.Stderr, options)
	}
	return slog.NewJSONHandler(os.Stderr, options)
}
