package protocol

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/munnerz/goautoneg"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/share"
)

//go:embed front_page.html
var frontPageText string

// frontPage shows a person who opens the tenant's host in a browser what it is. It says nothing that the person has not brought along: the Tenant URL is
// made of the host that was asked for. A client of SCIM, which sends credentials or wants JSON, is answered by otherwise.
func (s *Server) frontPage(otherwise http.Handler) http.Handler {
	parsed := sync.OnceValue(newFrontPage) // few servers are ever looked at
	shown := s.observed(v1alpha1.FrontPagePath, func(w *recorder, r *http.Request, id string, log requestLog) {
		if err := s.showFrontPage(w, r, parsed()); err != nil {
			writeError(w, s.describe(err, log), id)
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wantsFrontPage(r) {
			shown.ServeHTTP(w, r)
			return
		}
		otherwise.ServeHTTP(w, r)
	})
}

// wantsFrontPage tells a browser, or a person with another program, from a client of SCIM.
func wantsFrontPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || r.Header.Get("Authorization") != "" {
		return false
	}
	accepted := strings.Join(r.Header.Values("Accept"), ",")
	return accepted == "" || goautoneg.Negotiate(accepted, []string{"text/html", mediaType, "application/json"}) == "text/html"
}

func (s *Server) showFrontPage(w *recorder, r *http.Request, page *frontPage) error {
	current := s.settings()
	if current == nil {
		return s.noSettings()
	}
	if err := s.limits.admit(current, share.Client{}); err != nil {
		return err
	}
	body := page.before + html.EscapeString(shownURL(current, r)) + page.after
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Content-Security-Policy", page.policy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Robots-Tag", "noindex")
	header.Set("Vary", "Accept, Authorization")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, body) // the client has hung up
	return nil
}

// shownURL is the Tenant URL at the host that was asked for. The tenant's own is not shown to somebody who came by another name: it may have a name
// and a namespace of the cluster.
func shownURL(current *settings.Snapshot, r *http.Request) string {
	asked := "https://" + strings.ToLower(strings.TrimSuffix(r.Host, ":443")) + v1alpha1.BasePath
	if current.BaseURLAt(r.Host) == asked {
		return asked
	}
	return requestedURL(r)
}

// frontPage is the page before and after the Tenant URL, and the policy by which a browser takes nothing but the page's own style. It is no template:
// a program that executes one keeps every exported method of all its types, and that would be 6 MB more of each server.
type frontPage struct{ before, after, policy string }

func newFrontPage() *frontPage {
	before, after, _ := strings.Cut(frontPageText, "{{TENANT URL}}")
	_, style, _ := strings.Cut(before, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	hash := sha256.Sum256([]byte(style))
	return &frontPage{before, after, "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; img-src data:; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
}
