//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
)

// scene is the set-up of one row. Its processes end with it, the last started first.
type scene struct {
	*lab
	folder string
	ending []func()
}

func (s *scene) open() error {
	return errors.Join(os.MkdirAll(s.folder, 0o755), os.Chmod(s.folder, 0o777)) // PostgreSQL's user makes folders in it
}

// ends has something done at the end, whatever comes.
func (s *scene) ends(with func()) { s.ending = append(s.ending, with) }

func (s *scene) close() {
	for _, end := range slices.Backward(s.ending) {
		end()
	}
	_ = os.RemoveAll(s.folder)
}

func (s *scene) file(name string) string { return filepath.Join(s.folder, name) }

// write writes a file that every program of the scene may read.
func (s *scene) write(name, text string) (path string, err error) {
	path = s.file(name)
	return path, os.WriteFile(path, []byte(text), 0o644)
}
