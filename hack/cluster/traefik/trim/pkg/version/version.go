// Package version says what is running. Unlike upstream's it never asks whether a newer release exists.
package version

import (
	"time"

	"github.com/gorilla/mux"
)

// What Traefik reports of itself.
var (
	Version            = "3.7.13"
	Codename           = "trimmed"
	BuildDate          = ""
	StartDate          = time.Now()
	DisableDashboardAd = true
	DashboardName      = ""
)

// Handler would serve the version; the API that it belongs to is off.
type Handler struct{}

// Append adds no route.
func (Handler) Append(*mux.Router) {}
