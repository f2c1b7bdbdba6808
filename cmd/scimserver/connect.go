package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/tenantry/tenantry/scimserver/admin"
	"github.com/tenantry/tenantry/scimserver/settings/kubernetes"
	"github.com/tenantry/tenantry/scimserver/store"
)

// connect tries whether a server could use the database, until it could, and reports meanwhile what is in the way. It runs before a directory
// moves, beside the server that goes on with the volume.
func connect(ctx context.Context, args []string) error {
	var o options
	var api kubernetes.Options
	var uid string
	flags := flag.NewFlagSet("scimserver connect", flag.ContinueOnError)
	flags.Usage = usage(flags, "scimserver connect --database-url-file FILE --namespace NAMESPACE --tenant TENANT [flags]\n\n"+
		"Ends once the database can be used, and makes the tables there that a directory needs. Until then the status of the\n"+
		"ProvisioningTenant says what is in the way.")
	o.flags(flags)
	flags.StringVar(&api.Tenant, "tenant", "", "`name` of the ProvisioningTenant")
	flags.StringVar(&api.Namespace, "namespace", "", "`namespace` of the ProvisioningTenant")
	flags.StringVar(&uid, "tenant-uid", "", "`UID` of the ProvisioningTenant")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; see scimserver connect --help", flags.Arg(0))
	case o.databaseURLFile == "" || api.Tenant == "" || api.Namespace == "":
		return errors.New("name the tenant with --tenant and --namespace, and the file with the connection URL with --database-url-file")
	}
	var err error
	if api.Config, err = rest.InClusterConfig(); err != nil {
		return fmt.Errorf("reach the Kubernetes API: %w", err)
	}
	if api.Pod, err = os.Hostname(); err != nil {
		return fmt.Errorf("find the name of this pod: %w", err)
	}
	api.TenantUID, api.DataDir, api.Now = types.UID(uid), o.data, time.Now
	api.Log = logger(os.Stderr, options{logFormat: "json"})
	source, err := kubernetes.New(api)
	if err != nil {
		return err
	}
	c := &connector{
		try: o.tryDatabase, source: source,
		failing: chore{what: "connect to the database", every: retryInterval, log: api.Log},
	}
	return c.run(ctx, retryInterval)
}

// connector tries the connection to a database again and again.
type connector struct {
	try    func(context.Context) error
	source interface {
		ReportConnectionProblem(ctx context.Context, reason, message string) error
	}
	failing chore
}

// run returns nil once the database can be used, and ctx's error where that ends before.
func (c *connector) run(ctx context.Context, interval time.Duration) error {
	again := time.NewTicker(interval)
	defer again.Stop()
	for {
		err := c.failing.ended(ctx, c.try(ctx))
		var reason, message string
		if err != nil {
			reason, message = admin.Explain(err, true)
		}
		// Should it not arrive, it is tried again; what was reported before counts for a while only.
		unreported := c.source.ReportConnectionProblem(ctx, reason, message)
		if err == nil {
			return nil
		}
		if unreported != nil {
			c.failing.log.Error(unreported, "the tenant's status may not say why; trying again")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

// tryDatabase opens the directory in the database, and closes it.
func (e *engine) tryDatabase(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	to, err := e.openDatabase(ctx)
	switch {
	case err != nil && !errors.Is(err, store.ErrUnavailable):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err) // of which the text shows no secret either
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	return to.Check(ctx)
}

// connectTimeout is how long a database may take to be opened, its tables included.
const connectTimeout = time.Minute
