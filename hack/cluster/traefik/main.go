// Command traefik is Traefik reduced to what the local cluster needs: entry points with TLS and the Kubernetes Ingress
// and file providers. It is wired from Traefik's own packages; ../build replaces the parts that it leaves out (cloud and
// key-value providers, ACME, plugins, QUIC) by those in trim/, which cuts the cold build from above fifteen minutes to
// about one. Flags are Traefik's own: --entryPoints.NAME.address=…, --providers.kubernetesIngress.….
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/rs/zerolog/log"
	"github.com/traefik/paerser/flag"
	ptypes "github.com/traefik/paerser/types"
	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/config/runtime"
	"github.com/traefik/traefik/v3/pkg/config/static"
	"github.com/traefik/traefik/v3/pkg/observability/metrics"
	"github.com/traefik/traefik/v3/pkg/provider/aggregator"
	"github.com/traefik/traefik/v3/pkg/provider/traefik"
	"github.com/traefik/traefik/v3/pkg/proxy/httputil"
	"github.com/traefik/traefik/v3/pkg/safe"
	"github.com/traefik/traefik/v3/pkg/server"
	"github.com/traefik/traefik/v3/pkg/server/middleware"
	"github.com/traefik/traefik/v3/pkg/server/service"
	"github.com/traefik/traefik/v3/pkg/tcp"
	"github.com/traefik/traefik/v3/pkg/tls"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "traefik:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	config, err := configuration(args)
	if err != nil {
		return err
	}
	zerolog.SetGlobalLevel(zerolog.InfoLevel)
	srv, err := newServer(ctx, config)
	if err != nil {
		return err
	}
	if config.Ping != nil {
		config.Ping.WithContext(ctx)
	}
	srv.Start(ctx)
	defer srv.Close()
	log.Info().Msg("started")
	srv.Wait()
	return nil
}

// configuration starts from the defaults that Traefik documents and applies the flags.
func configuration(args []string) (*static.Configuration, error) {
	config := &static.Configuration{
		Global:              &static.Global{},
		EntryPoints:         static.EntryPoints{},
		Providers:           &static.Providers{ProvidersThrottleDuration: ptypes.Duration(2 * time.Second)},
		ServersTransport:    &static.ServersTransport{MaxIdleConnsPerHost: 200},
		TCPServersTransport: &static.TCPServersTransport{DialTimeout: ptypes.Duration(30 * time.Second), DialKeepAlive: ptypes.Duration(15 * time.Second)},
	}
	if err := flag.Decode(args, config); err != nil {
		return nil, fmt.Errorf("reading flags: %w", err)
	}
	config.SetEffectiveConfiguration()
	return config, config.ValidateConfiguration()
}

func newServer(ctx context.Context, config *static.Configuration) (*server.Server, error) {
	pool := safe.NewPool(ctx)
	providers := aggregator.NewProviderAggregator(*config.Providers)
	if err := providers.AddProvider(traefik.New(*config)); err != nil {
		return nil, err
	}
	certificates := tls.NewManager(config.OCSP)
	pool.GoCtx(certificates.Run)

	noMetrics := metrics.NewMultiRegistry(nil)
	observability := middleware.NewObservabilityMgr(*config, noMetrics, nil, nil, nil, nil)
	tcpEntryPoints, err := server.NewTCPEntryPoints(config.EntryPoints, config.HostResolver, noMetrics)
	if err != nil {
		return nil, err
	}
	udpEntryPoints, err := server.NewUDPEntryPoints(config.EntryPoints)
	if err != nil {
		return nil, err
	}

	transports, dialers := service.NewTransportManager(nil), tcp.NewDialerManager(nil)
	proxies := httputil.NewProxyBuilder(transports, nil)
	services := service.NewManagerFactory(*config, pool, observability, transports, proxies, nil, certificates)
	routers, err := server.NewRouterFactory(*config, services, certificates, observability, nil, dialers)
	if err != nil {
		return nil, err
	}

	var defaultEntryPoints []string
	for name := range config.EntryPoints {
		if name != static.DefaultInternalEntryPointName {
			defaultEntryPoints = append(defaultEntryPoints, name)
		}
	}
	watcher := server.NewConfigurationWatcher(pool, providers, defaultEntryPoints, "internal", false)
	watcher.AddListener(func(c dynamic.Configuration) {
		certificates.UpdateConfigs(ctx, c.TLS.Stores, c.TLS.Options, c.TLS.Certificates)
	})
	watcher.AddListener(func(c dynamic.Configuration) {
		transports.Update(c.HTTP.ServersTransports)
		proxies.Update(c.HTTP.ServersTransports)
		dialers.Update(c.TCP.ServersTransports)
	})
	watcher.AddListener(func(c dynamic.Configuration) {
		tcpRouters, udpRouters := routers.CreateRouters(runtime.NewConfig(c))
		tcpEntryPoints.Switch(tcpRouters)
		udpEntryPoints.Switch(udpRouters)
	})
	return server.NewServer(pool, tcpEntryPoints, udpEntryPoints, watcher, observability), nil
}
