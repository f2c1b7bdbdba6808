// Package durable writes a file that is there whole, or not at all, after a loss of power.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WriteFile makes data the content of the file at path, readable and writable by its owner only. On an error the file
// is as it was before, except where only the last step failed, to make the new name survive a loss of power.
func WriteFile(path string, data []byte) (err error) {
	folder := filepath.Dir(path)
	// os.CreateTemp makes files of mode 0600.
	file, err := os.CreateTemp(folder, filepath.Base(path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if _, err = file.Write(data); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
