package sqlite

import (
	"errors"
	"io/fs"
	"os"
)

// ownerOnly is the mode of every file of a directory: it holds people's data.
const ownerOnly fs.FileMode = 0o600

// own makes the files of the database readable by their owner alone. SQLite makes them readable by everybody whom the umask lets, and
// gives the write-ahead log the mode of the database; a kubelet lets the group of a volume write to what is there. Where they belong to
// somebody else, as on a volume that was restored, the owner decides.
func own(database string) error {
	made, err := os.OpenFile(database, os.O_CREATE|os.O_RDWR, ownerOnly) // an empty file is an empty database
	if err != nil {
		return err
	}
	if err := made.Close(); err != nil {
		return err
	}
	for _, name := range []string{database, database + "-wal", database + "-shm", database + "-journal"} {
		err := os.Chmod(name, ownerOnly)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}
