package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// controllerManager is a running kube-controller-manager.
type controllerManager struct {
	cancel context.CancelFunc
	ended  chan error
	folder string
}

// startControllers runs some controllers of kube-controller-manager.
func (c *Cluster) startControllers(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	user, err := c.environment.AddUser(envtest.User{Name: "controllers", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return fmt.Errorf("make a user for controllers: %w", err)
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		return fmt.Errorf("make the kubeconfig of controllers: %w", err)
	}
	folder, err := os.MkdirTemp("", "controllers")
	if err != nil {
		return fmt.Errorf("make a folder for controllers: %w", err)
	}
	path := filepath.Join(folder, "kubeconfig")
	if err := os.WriteFile(path, kubeconfig, 0o600); err != nil {
		return fmt.Errorf("write the kubeconfig of controllers: %w", err)
	}
	running, cancel := context.WithCancel(ctx)
	command := exec.CommandContext(running, filepath.Join(os.Getenv(assets), "kube-controller-manager"),
		"--kubeconfig="+path, "--controllers="+strings.Join(names, ","), "--leader-elect=false", "--secure-port=0")
	said := &bytes.Buffer{}
	command.Stdout, command.Stderr = said, said
	if err := command.Start(); err != nil {
		cancel()
		return errors.Join(fmt.Errorf("start kube-controller-manager: %w", err), os.RemoveAll(folder))
	}
	c.controllers = &controllerManager{cancel, make(chan error, 1), folder}
	go func() {
		err := command.Wait()
		if running.Err() != nil {
			err = nil
		} else {
			err = fmt.Errorf("kube-controller-manager ended by itself (%w):\n%s", err, said)
		}
		c.controllers.ended <- err
	}()
	return nil
}

func (m *controllerManager) stop() error {
	if m == nil {
		return nil
	}
	m.cancel()
	return errors.Join(<-m.ended, os.RemoveAll(m.folder))
}
