package plugin

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// counts are how much of each an export has.
type counts struct {
	Users       int64 `json:"users"`
	Groups      int64 `json:"groups"`
	Memberships int64 `json:"memberships"`
	Entries     int64 `json:"entries"`
}

func (c counts) String() string {
	text := fmt.Sprintf("%s, %s and %s", plural(c.Users, "user"), plural(c.Groups, "group"), plural(c.Memberships, "membership"))
	if c.Entries > 0 {
		text += fmt.Sprintf(", with %d entries of the provisioning log", c.Entries)
	}
	return text
}

// errNotWhole is what is wrong with an export that was cut off or changed.
var errNotWhole = errors.New("this is no whole export")

// copyExport copies an export and returns what its last line counts, which must be there and have the SHA-256 of all lines before it.
func copyExport(to io.Writer, from io.Reader) (counts, error) {
	lines := bufio.NewReaderSize(from, 64<<10)
	out := bufio.NewWriterSize(to, 64<<10)
	sum := sha256.New()
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return counts{}, fmt.Errorf("%w: it was cut off after line %d, its last line is missing", errNotWhole, number-1)
		case err != nil:
			return counts{}, fmt.Errorf("%w: the connection ended after line %d: %w", errNotWhole, number-1, err)
		}
		if _, err := out.Write(line); err != nil {
			return counts{}, err
		}
		if !bytes.HasPrefix(line, []byte(`{"end":`)) {
			sum.Write(line)
			continue
		}
		var last struct {
			End struct {
				counts
				SHA256 string `json:"sha256"`
			} `json:"end"`
		}
		if err := json.Unmarshal(line, &last); err != nil || last.End.SHA256 != hex.EncodeToString(sum.Sum(nil)) {
			return counts{}, fmt.Errorf("%w: the checksum in its last line is another", errNotWhole)
		}
		if _, err := lines.ReadByte(); !errors.Is(err, io.EOF) {
			return counts{}, fmt.Errorf("%w: something follows its last line", errNotWhole)
		}
		return last.End.counts, out.Flush()
	}
}

// whole writes a file that is there only once it is complete, and until then the one before. Its owner alone can read it.
func whole(name string, write func(io.Writer) error) (err error) {
	if there, err := os.Stat(name); err == nil && !there.Mode().IsRegular() {
		return fmt.Errorf("%s is no file that could be replaced", name)
	}
	part, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".")
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		err = failed.Err // the name of the temporary file says nothing to who named another
	}
	if err != nil {
		return fmt.Errorf("write a file in %s: %w", filepath.Dir(name), err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part.Name()))
		}
	}()
	if err := errors.Join(write(part), part.Sync(), part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), name)
}
