package sqlite

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/store"
)

// lock keeps a second process from the folder for as long as the file is open. The kernel lets go of it when the process
// ends, however it ends. The error is a store.ErrHeld while another has it.
func lock(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, ownerOnly)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, store.WithCause(v1alpha1.ReasonDirectoryInUse, store.ErrHeld)
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	_ = f.Chmod(ownerOnly) // there is nothing in it
	return f, nil
}
