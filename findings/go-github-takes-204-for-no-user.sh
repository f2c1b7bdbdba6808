#!/usr/bin/env bash
# go-github returns neither a user nor an error when a server answers a SCIM PATCH with 204.
#
# RFC 7644 section 3.5.2 lets a server choose between 200 with the user and 204 without. Code that reads the user after
# it has looked at the error meets a nil pointer.
# Why it matters: the client asks for nothing (no Prefer header), so it works with servers that answer 200 only.
# Tenantry's server answers 204, and 200 with the user to Prefer: return=representation.
# Seen with github.com/google/go-github/v90 v90.0.0, its client for an enterprise's SCIM. Needs go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

export GOWORK=off GOFLAGS=-mod=mod
go mod init finding
go get github.com/google/go-github/v90@v90.0.0
cat >main.go <<'END'
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/google/go-github/v90/github"
)

func main() {
	status := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Printf("%s with Prefer %q, answered with %d\n", r.Method, r.Header.Get("Prefer"), status)
		w.WriteHeader(status)
		if status == http.StatusOK {
			io.WriteString(w, `{"id":"1","userName":"anna","active":false}`)
		}
	}))
	defer server.Close()
	client, err := github.NewClient(github.WithURLs(&server.URL, &server.URL))
	if err != nil {
		panic(err)
	}
	path := "active"
	for _, status = range []int{http.StatusOK, http.StatusNoContent} {
		user, _, err := client.Enterprise.UpdateSCIMUserAttribute(context.Background(), "example", "1",
			github.SCIMEnterpriseAttribute{
				Schemas:    []string{github.SCIMSchemasURINamespacesPatchOp},
				Operations: []*github.SCIMEnterpriseAttributeOperation{{Op: "replace", Path: &path, Value: false}},
			})
		fmt.Printf("  user is nil: %t, error is nil: %t\n", user == nil, err == nil)
	}
}
END
go run . | tee seen

diff -u --label expected --label seen - seen <<'END'
PATCH with Prefer "", answered with 200
  user is nil: false, error is nil: true
PATCH with Prefer "", answered with 204
  user is nil: true, error is nil: true
END
