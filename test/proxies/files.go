//go:build linux

package main

import (
	"embed"
	"path/filepath"
	"strings"
)

// The recipes stand in docs/exposure.md. around has what a machine has besides them.
//
//go:embed recipes around
var files embed.FS

func mustRead(name string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(err) // this program names it
	}
	return string(text)
}

// place is where a proxy runs: its own folder, the folder below which the programs are unpacked, and its port.
type place struct {
	folder, root, port string
}

func (a place) file(name string) string { return filepath.Join(a.folder, name) }

// configuration is the recipe with nothing changed but addresses, the host, the place of the certificate, and compression, which the recipes
// leave to people; and around it what makes it whole.
func (p proxy) configuration(at place, server string) string {
	recipe := strings.NewReplacer(p.compress...).Replace(mustRead("recipes/" + p.recipe))
	recipe = strings.NewReplacer(
		"wingtip-scim.customers.svc:80", server, "wingtip.scim.example.com", "localhost",
		"listen 443", "listen 127.0.0.1:@PORT@", "bind :443", "bind 127.0.0.1:@PORT@", "*:443", "127.0.0.1:@PORT@",
		"/etc/nginx/tls/", "@TLS@/", "/etc/haproxy/tls/", "@TLS@/", "/etc/apache2/tls/", "@TLS@/", "/etc/traefik/tls/", "@TLS@/",
	).Replace(recipe)
	whole := "@RECIPE@"
	if p.around != "" {
		whole = mustRead("around/" + p.around)
	}
	whole = strings.Replace(whole, "@RULES@", strings.Replace(p.security, "@EXCEPTIONS@", p.exceptions, 1), 1)
	whole = strings.Replace(whole, "@RECIPE@", recipe, 1)
	return strings.NewReplacer(
		"@FOLDER@", at.folder, "@ROOT@", at.root, "@PORT@", at.port, "@TLS@", filepath.Join(at.folder, "..", "tls"),
	).Replace(whole)
}
