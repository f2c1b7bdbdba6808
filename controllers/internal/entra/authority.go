// Package entra tells whether a Microsoft Entra tenant exists, by its OpenID metadata, which is public.
package entra

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Tenant identifies a Microsoft Entra tenant.
type Tenant struct {
	Cloud v1alpha1.EntraCloud
	// ID is the directory (tenant) ID in lower case.
	ID string
}

// NewTenant returns the tenant that the spec names.
func NewTenant(spec v1alpha1.Entra) Tenant {
	return Tenant{Cloud: spec.Cloud, ID: strings.ToLower(spec.TenantID)}
}

// Answer is what is known about a tenant.
type Answer string

const (
	// Pending means that the authority has not been asked yet.
	Pending Answer = "Pending"
	// Exists means that the authority knows the tenant.
	Exists Answer = "Exists"
	// NotFound means that the authority does not know it.
	NotFound Answer = "NotFound"
	// Unreachable means that the authority gave no answer to rely on.
	Unreachable Answer = "Unreachable"
)

// maxMetadata is far above the 2 KiB that the metadata has.
const maxMetadata = 64 << 10

// Authority asks the login authorities of Microsoft's clouds.
type Authority struct {
	// Client sends the request. It should have a short timeout.
	Client *http.Client
	// Override is the base URL of an authority to ask in place of all of Microsoft's, such as https://login.test; empty
	// for Microsoft's.
	Override string
}

// Ask returns Exists, NotFound or Unreachable; with the last of them the error says why.
func (a Authority) Ask(ctx context.Context, tenant Tenant) (Answer, error) {
	base := strings.TrimSuffix(a.Override, "/")
	if base == "" {
		host := tenant.Cloud.LoginHost()
		if host == "" {
			return Unreachable, fmt.Errorf("no login authority is known for cloud %q", tenant.Cloud)
		}
		base = "https://" + host
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/"+url.PathEscape(tenant.ID)+"/v2.0/.well-known/openid-configuration", http.NoBody)
	if err != nil {
		return Unreachable, fmt.Errorf("ask the login authority: %w", err)
	}
	response, err := a.Client.Do(request)
	if err != nil {
		return Unreachable, fmt.Errorf("ask the login authority: %w", err)
	}
	defer response.Body.Close()
	var metadata struct {
		Issuer string `json:"issuer"`
		Error  string `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxMetadata)).Decode(&metadata); err != nil && response.StatusCode != http.StatusNotFound {
		return Unreachable, fmt.Errorf("read the login authority's answer with status %d: %w", response.StatusCode, err)
	}
	switch {
	case response.StatusCode == http.StatusOK && strings.Contains(strings.ToLower(metadata.Issuer), tenant.ID):
		return Exists, nil
	case response.StatusCode == http.StatusOK:
		return Unreachable, fmt.Errorf("the login authority answered with another tenant's metadata")
	case response.StatusCode == http.StatusNotFound, response.StatusCode == http.StatusBadRequest && metadata.Error == "invalid_tenant":
		return NotFound, nil
	default:
		return Unreachable, fmt.Errorf("the login authority answered with status %d", response.StatusCode)
	}
}
