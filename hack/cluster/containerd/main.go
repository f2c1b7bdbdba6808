// Command containerd is containerd, its runc shim and its client ctr in one binary: it becomes the one whose name it is
// called by. Only the plugins that a Kubernetes node with overlayfs needs are linked in.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/manager"
	_ "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/task/plugin"
	"github.com/containerd/containerd/v2/cmd/containerd/command"
	ctr "github.com/containerd/containerd/v2/cmd/ctr/app"
	"github.com/containerd/containerd/v2/pkg/shim"
)

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case "containerd":
		exit(name, command.App().Run(context.Background(), os.Args))
	case "ctr":
		exit(name, ctr.New().Run(context.Background(), os.Args))
	default: // containerd calls its shim by a link, by /proc/self/exe or by full path
		shim.RunShim(context.Background(), manager.NewShimManager("io.containerd.runc.v2"))
	}
}

func exit(name string, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}
