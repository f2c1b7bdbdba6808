// Package dns01 has the one helper that Traefik's TLS manager takes from it.
package dns01

import "strings"

// UnFqdn drops the dot at the end of a fully qualified domain name.
func UnFqdn(name string) string { return strings.TrimSuffix(name, ".") }
