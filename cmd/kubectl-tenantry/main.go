// Command kubectl-tenantry is a plugin of kubectl: found on the PATH, it is called as kubectl tenantry.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // whatever a kubeconfig may ask for
	"k8s.io/utils/clock"

	"github.com/tenantry/tenantry/plugin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := plugin.Run(ctx, os.Args[1:], plugin.Options{
		IOStreams: genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
		Clock:     clock.RealClock{},
		Forward:   plugin.PortForward,
		Token:     os.Getenv(plugin.TokenVariable),
	})
	stop()
	os.Exit(code)
}
