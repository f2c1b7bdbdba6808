//go:build linux

package main

import "embed"

// The recipes stand in docs/storage.md.
//
//go:embed recipes
var recipes embed.FS
