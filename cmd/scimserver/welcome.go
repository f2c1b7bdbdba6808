package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/settings/manifests"
)

// welcome tells a person who runs the server by hand how to try it, once there are settings.
func welcome(ctx context.Context, out io.Writer, source settings.Source, data string) {
	changed := source.Changed()
	for source.Current() == nil {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			changed = source.Changed()
		}
	}
	current := source.Current()
	token := filepath.Join(data, current.Tenant.Name+".token")
	if _, err := os.Stat(token); err != nil {
		return // The manifests have a token of their own; whoever wrote them knows it.
	}
	fmt.Fprintf(out, `
Tenant %[1]s
  Tenant URL    %[2]s
  Secret Token  in the file %[3]s
%[4]s
Try it from another terminal:
  AUTH="Authorization: Bearer $(cat %[3]s)"
  curl -s -H "$AUTH" %[2]s/Users -H 'Content-Type: application/scim+json' \
    -d '{"userName":"anna@contoso.test","name":{"givenName":"Anna","familyName":"Karlsson"}}'
  curl -s -H "$AUTH" -G %[2]s/Users --data-urlencode 'filter=userName eq "anna@contoso.test"'
  curl -s -H "$AUTH" %[2]s/ServiceProviderConfig

`, current.Tenant.Name, current.BaseURL(), token, others(current, data))
}

// others tells about the token endpoint and the credentials beside the Secret Token.
func others(current *settings.Snapshot, data string) string {
	var text strings.Builder
	if auth.IssuesTokens(current) {
		fmt.Fprintf(&text, "  Token URL     %s\n", current.TokenURL())
	}
	for _, credential := range manifests.Credentials(current.Tenant)[1:] {
		path := filepath.Join(data, credential.File)
		if _, err := os.Stat(path); err == nil {
			fmt.Fprintf(&text, "  %s  in the file %s\n", credential.What, path)
		}
	}
	return text.String()
}
