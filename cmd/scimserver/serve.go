package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/internal/internet"
	"github.com/tenantry/tenantry/internal/outage"
	"github.com/tenantry/tenantry/scimserver/admin"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/settings/kubernetes"
	"github.com/tenantry/tenantry/scimserver/settings/manifests"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
)

const (
	// retryInterval is how long the background work waits after the storage or the API server failed.
	retryInterval = 10 * time.Second
	// openInterval is how often a directory is tried to be opened that could not be.
	openInterval = 5 * time.Second
	// reportInterval is how often the tenant's status is looked at; it is written only when it changed.
	reportInterval = 5 * time.Second
	// failureInterval is how long failed requests that are alike come together before they are one entry of the log.
	failureInterval = time.Second
	// followInterval is how often it is looked whether another replica wrote users under older defaults, and whether an import came.
	followInterval = 15 * time.Second
	// trimInterval is how often what the provisioning log need not keep is looked for.
	trimInterval = 10 * time.Minute
	// purgeInterval is how often users that are inactive for too long are looked for.
	purgeInterval = 10 * time.Minute
	// keysInterval is how often the cluster's keys for ServiceAccounts' tokens are fetched, though nobody sends one.
	keysInterval = time.Hour
	// namesInterval is how often it is looked whether several users or groups have one name.
	namesInterval = time.Minute
)

// serve runs the server until ctx ends.
func serve(ctx context.Context, o options, log logr.Logger) error {
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	clientPort, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listen for clients (--listen): %w", err)
	}
	adminPort, err := net.Listen("tcp", o.adminListen)
	if err != nil {
		return fmt.Errorf("listen for administrators (--admin-listen): %w", err)
	}
	source, err := source(o, clientPort.Addr().String(), log)
	if err != nil {
		return err
	}
	var problem func() string
	if folder, ok := source.(*manifests.Source); ok {
		if err := o.follow(folder, log); err != nil {
			return err
		}
		problem = folder.Problem
	}
	o.guard = owner.NewGuard(claim(source), log)
	database, unopened, err := o.openToServe(ctx, log)
	if err != nil {
		return err
	}
	defer func() {
		if err := database.Close(); err != nil {
			log.Error(err, "close the directory")
		}
	}()

	users := directory.New(directory.Options{Store: database, Now: time.Now})
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if !o.database() {
		measureVolume(registry, o.data)
	}
	callers := auth.New(auth.Options{
		Now: time.Now, Random: rand.Reader, Keys: users, Transport: &internet.Transport{}, Log: log, LoginAuthority: o.entraAuthority,
		Cluster: cluster(source, o.data),
	})
	followed := &followed{Source: source, tokens: callers, owned: o.owned(database, source, log), begun: make(chan struct{})}
	away, unwritable := &outage.Outage{Calm: protocol.StorageCalm}, &outage.Outage{Calm: protocol.StorageCalm}
	// told tells of a failure of the storage whether requests or the readiness check have told it, or need not.
	told := func(err error) bool {
		return errors.Is(err, store.ErrHandover) || errors.Is(err, store.ErrUnavailable) && (away.Lasts() || unwritable.Lasts())
	}
	chore := func(what string, interval time.Duration) *chore {
		return &chore{what: what, every: interval, log: log, told: told}
	}
	followed.told = told
	scim := protocol.New(protocol.Options{
		Away: away, Unwritable: unwritable,
		Directory: users, Settings: followed.Current, Unserved: followed.unserved, Auth: callers, Log: log, Metrics: registry, Now: time.Now,
	})

	group, ctx := newGroup(ctx)
	background := store.Background(ctx)
	group.Go(func() error { return source.Run(ctx) })
	if unopened != nil {
		followed.opened = unopened.Opened()
		group.Go(func() error {
			if unopened.Run(background, openInterval) == nil {
				log.Info("the directory is open")
			}
			return nil
		})
	}
	group.Go(func() error {
		look := time.NewTicker(followInterval)
		defer look.Stop()
		followed.follow(background, users, look.C, log)
		return nil
	})
	// every does work on the directory now and then: not before there are settings, which say whose it has to be, and not while it is
	// another's.
	every := func(interval time.Duration, work func(ctx context.Context)) {
		group.Go(func() error {
			select {
			case <-followed.begun:
			case <-ctx.Done():
				return nil
			}
			wait.UntilWithContext(background, func(ctx context.Context) {
				if followed.Current() != nil {
					work(ctx)
				}
			}, interval)
			return nil
		})
	}
	again := time.NewTicker(followInterval)
	defer again.Stop()
	defaults := chore("apply defaults", retryInterval)
	every(retryInterval, func(ctx context.Context) { _ = defaults.ended(ctx, users.Follow(ctx, again.C)) })
	deletions := chore("finish deletions", followInterval)
	every(followInterval, func(ctx context.Context) { _ = deletions.ended(ctx, users.FinishDeletions(ctx)) })
	every(keysInterval, func(ctx context.Context) {
		if current := followed.Current(); current != nil {
			callers.FetchKeys(ctx, current)
		}
	})
	failures := &failureLog{failed: users, log: log, told: told}
	every(failureInterval, failures.step)
	trimming := chore("trim the provisioning log", trimInterval)
	every(trimInterval, func(ctx context.Context) { _ = trimming.ended(ctx, users.TrimLog(ctx)) })
	purging := chore("delete users that are inactive for too long", purgeInterval)
	every(purgeInterval, func(ctx context.Context) {
		deleted, err := users.Purge(ctx)
		if deleted > 0 {
			log.Info("deleted users that were inactive for longer than spec.retention.deactivatedUsers", "users", deleted)
		}
		_ = purging.ended(ctx, err)
	})
	ambiguous := &namesLog{names: users, log: log}
	every(namesInterval, ambiguous.step)
	group.Go(func() error {
		idle := idleness{began: time.Now()}
		wait.UntilWithContext(background, func(context.Context) {
			if idle.due(time.Now(), scim.LastRequest()) {
				runtime.GC() // pools are empty after two collections
				debug.FreeOSMemory()
			}
		}, idleInterval)
		return nil
	})
	activity := &activityReport{clients: scim, keeper: users}
	var storage *storageReport
	if reporter, ok := source.(*kubernetes.Source); ok {
		reporting := chore("report the tenant's status", reportInterval)
		reporting.told = func(err error) bool { return told(err) || reporter.Away() }
		storage = &storageReport{store: database, source: reporter, database: o.database(), log: log, told: reporter.Away}
		group.Go(func() error {
			wait.UntilWithContext(background, func(ctx context.Context) {
				// Before there are settings the directory has no defaults, which would be told as if it were so.
				if storage.step(ctx) && followed.Current() != nil {
					_ = reporting.ended(ctx, report(ctx, reporter, users, o.guard.Directory(), activity))
				}
			}, reportInterval)
			return nil
		})
	}
	if o.manifests != "" {
		group.Go(func() error {
			welcome(ctx, os.Stdout, source, o.data)
			return nil
		})
	}
	administrators := admin.New(admin.Options{
		Settings: followed.Current, Unserved: followed.unserved, Problem: problem, Directory: users, Store: database, Database: o.database(),
		Auth: callers, Metrics: registry, Log: log, Clock: clock.RealClock{},
		Refused: scim.Refused, Away: away, Unwritable: unwritable,
	})
	group.Go(func() error {
		<-ctx.Done()
		scim.Drain()
		return nil
	})
	// A request that follows the log never ends by itself, so for administrators the end begins at once.
	group.Go(func() error { return serveUntil(ctx, ctx, adminPort, administrators) })
	group.Go(func() error { return serveUntil(ctx, context.WithoutCancel(ctx), clientPort, scim.Handler()) })
	log.Info("serving", "clients", clientPort.Addr().String(), "admin", adminPort.Addr().String())
	err = group.Wait()
	storage.end(context.WithoutCancel(ctx))
	followed.owned.end(context.WithoutCancel(ctx))
	if followed.Current() == nil {
		return err
	}
	failures.end(context.WithoutCancel(ctx))
	if _, lost := activity.keep(context.WithoutCancel(ctx)); lost != nil {
		log.Error(lost, "the last requests are missing in status.activity.lastCycle")
	}
	return err
}

func source(o options, listen string, log logr.Logger) (settings.Source, error) {
	if o.manifests != "" {
		return manifests.New(manifests.Options{
			Dir: o.manifests, Tenant: o.tenant, Namespace: o.namespace, DataDir: o.data, Listen: listen, Log: log,
			StorageByFlag: o.databaseURLFile != "", CheckURL: postgres.CheckURL,
			Check: check,
		}), nil
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("reach the Kubernetes API: %w; outside a cluster use --manifests", err)
	}
	pod, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("find the name of this pod: %w", err)
	}
	return kubernetes.New(kubernetes.Options{
		Config: config, Namespace: o.namespace, Tenant: o.tenant, TenantUID: types.UID(o.tenantUID), DataDir: o.data, Log: log,
		Pod: pod, Now: time.Now,
	})
}

// cluster is where tokens of ServiceAccounts are checked; nil outside of one.
func cluster(source settings.Source, folder string) *auth.Cluster {
	running, ok := source.(*kubernetes.Source)
	if !ok {
		return nil
	}
	url, transport := running.APIServer()
	return &auth.Cluster{URL: url, Transport: transport, KeysFile: filepath.Join(folder, "cluster-keys.json")}
}

// check returns why a server cannot work with a snapshot's defaults, or nil.
func check(s *settings.Snapshot) error {
	users := directory.Users(s.Tenant.Spec.Schema)
	problems := make([]error, len(s.Defaults))
	for i := range s.Defaults {
		_, problems[i] = directory.NewDefaults(&s.Defaults[i], s.Tenant.Spec.Catalog, users)
	}
	return errors.Join(problems...)
}

// report writes the server's part of the tenant's status.
func report(ctx context.Context, source *kubernetes.Source, users *directory.Directory, id string, activity *activityReport) error {
	status, err := users.Status(ctx)
	status.ID = id
	var clients v1alpha1.ActivityStatus
	if err == nil {
		clients, err = activity.status(ctx, time.Now())
	}
	if err == nil {
		err = source.ReportStatus(ctx, status, clients)
	}
	return err
}
