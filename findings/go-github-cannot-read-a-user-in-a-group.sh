#!/usr/bin/env bash
# go-github's client for an organization's SCIM cannot read a user who is in a group, nor a list with such a user in it.
#
# RFC 7643 section 4.1.2 makes "groups" a list of objects; the client expects strings, and gives an error in the place
# of everybody on the page.
# Why it matters: it works until the first user joins a group. Servers return "groups" by default, and this client has
# no option for excludedAttributes. Tenantry's server follows the RFC.
# Seen with github.com/google/go-github/v90 v90.0.0. Needs go.
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
	groups := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"totalResults":2,"Resources":[{"id":"1","userName":"anna"},{"id":"2","userName":"bo"`)
		io.WriteString(w, groups+`}]}`)
	}))
	defer server.Close()
	client, err := github.NewClient(github.WithURLs(&server.URL, &server.URL))
	if err != nil {
		panic(err)
	}
	for _, groups = range []string{``, `,"groups":[]`, `,"groups":[{"value":"9","display":"Buyers"}]`} {
		list, _, err := client.SCIM.ListSCIMProvisionedIdentities(context.Background(), "example", nil)
		fmt.Printf("bo%s: %d users\n", groups, len(list.GetResources()))
		if err != nil {
			fmt.Println(" ", err)
		}
	}
}
END
go run . | tee seen

diff -u --label expected --label seen - seen <<'END'
bo: 2 users
bo,"groups":[]: 2 users
bo,"groups":[{"value":"9","display":"Buyers"}]: 0 users
  json: cannot unmarshal object into Go struct field SCIMUserAttributes.Resources.groups of type string
END
