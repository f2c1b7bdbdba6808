package sqlite

import (
	"os"
	"path/filepath"
)

// Exists tells whether a folder has a directory, which it does not open.
func Exists(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, fileName))
	return err == nil
}
