// Package log drops what an ACME client would log: this build has no ACME.
package log

import "log/slog"

// SetDefault does nothing.
func SetDefault(*slog.Logger) {}
