// Command scimserver serves one tenant's directory by SCIM 2.0, exports it, imports it, and moves it to PostgreSQL.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/apimachinery/pkg/util/runtime"

	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := panicked.Guard(func() error { return run(ctx, os.Args[1:]) }); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "scimserver:", err)
		}
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	engine

	listen, adminListen string
	manifests           string
	tenant, namespace   string
	tenantUID           string
	entraAuthority      string
	logFormat           string
	logLevel            slog.Level
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "export":
			return export(ctx, args[1:], os.Stdout)
		case "import":
			return restore(ctx, args[1:], os.Stdin, os.Stderr)
		case "move":
			return move(ctx, args[1:], os.Stderr)
		case "connect":
			return connect(ctx, args[1:])
		}
	}
	var o options
	flags := flag.NewFlagSet("scimserver", flag.ContinueOnError)
	flags.Usage = usage(flags, "scimserver [flags]\n       scimserver export --help\n       scimserver import --help\n       scimserver move --help")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` on which SCIM clients are served")
	flags.StringVar(&o.adminListen, "admin-listen", "127.0.0.1:8081", "`address` of health, readiness, metrics, the provisioning log, export and import")
	o.flags(flags)
	flags.StringVar(&o.manifests, "manifests", "", "take the settings from the YAML files in this `folder` instead of the Kubernetes API; "+
		"the directory is kept where spec.storage says, unless --database-url-file says where")
	flags.StringVar(&o.tenant, "tenant", "", "`name` of the ProvisioningTenant to serve; with --manifests it may be left out where there is only one")
	flags.StringVar(&o.tenantUID, "tenant-uid", "",
		"`UID` of the ProvisioningTenant, so that what an earlier one of the same name left in the data folder is not used")
	flags.StringVar(&o.entraAuthority, "entra-authority", "",
		"base `URL` of a login authority whose tokens are accepted, in place of those of Microsoft's clouds")
	flags.StringVar(&o.namespace, "namespace", "", "`namespace` of the ProvisioningTenant; with --manifests every namespace is looked at by default")
	flags.StringVar(&o.logFormat, "log-format", "json", "`format` of the log on standard error: json or text")
	flags.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "`level` of the log: debug, info, warn or error; debug has a line for each request")
	printVersion := flags.Bool("version", false, "print the version and end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case *printVersion:
		return version.Print(os.Stdout, "scimserver")
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; see --help", flags.Arg(0))
	case o.manifests == "" && (o.tenant == "" || o.namespace == ""):
		return errors.New("name the tenant with --tenant and --namespace, or give a folder with --manifests")
	case o.logFormat != "json" && o.logFormat != "text":
		return fmt.Errorf("--log-format must be json or text, not %q", o.logFormat)
	}
	log := logger(os.Stderr, o)
	followStandardLog(log)
	runtime.PanicHandlers = []func(context.Context, any){panicked.Handler(log)}
	log.Info("the server starts", "version", version.Version())
	return serve(ctx, o, log)
}
