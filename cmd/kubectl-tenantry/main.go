// Command kubectl-tenantry is a plugin of kubectl: found on the PATH, it is called as kubectl tenantry.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // whatever a kubeconfig may ask for
	"k8s.io/utils/clock"

	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/plugin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := plugin.ExitWrong
	err := panicked.Guard(func() error {
		code = plugin.Run(ctx, os.Args[1:], plugin.Options{
			IOStreams: genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
			Clock:     clock.RealClock{},
			Forward:   plugin.PortForward,
			Token:     os.Getenv(plugin.TokenVariable),
		})
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubectl tenantry:", err)
	}
	stop()
	os.Exit(code)
}
