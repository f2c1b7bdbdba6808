package protocol

import (
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// authenticationSchemes are the ways in that the tenant offers (RFC 7643 section 5).
func authenticationSchemes(offered v1alpha1.Authentication) []any {
	schemes := []any{schema.Object{
		"type": "oauthbearertoken", "name": "Secret Token", "primary": true,
		"description": "The tenant's Secret Token as a bearer token (RFC 6750)",
		"specUri":     "https://www.rfc-editor.org/rfc/rfc6750",
	}}
	if offered.OAuth != nil {
		schemes = append(schemes, schema.Object{
			"type": "oauth2", "name": "OAuth 2.0 client credentials", "primary": false,
			"description": "An access token from " + v1alpha1.TokenPath + ", for a client ID and a client secret (RFC 6749 section 4.4)",
			"specUri":     "https://www.rfc-editor.org/rfc/rfc6749",
		})
	}
	if offered.WorkloadIdentity != nil {
		schemes = append(schemes, schema.Object{
			"type": "oauth2", "name": "Workload identity federation", "primary": false,
			"description": "An access token from " + v1alpha1.TokenPath + ", for a client assertion that Microsoft Entra ID signed (RFC 7523)",
			"specUri":     "https://www.rfc-editor.org/rfc/rfc7523",
		})
	}
	if offered.EntraToken != nil {
		schemes = append(schemes, schema.Object{
			"type": "oauthbearertoken", "name": "Microsoft Entra token", "primary": false,
			"description": "The token that Microsoft Entra ID sends where its Secret Token is blank",
			"specUri":     "https://www.rfc-editor.org/rfc/rfc6750",
		})
	}
	if offered.UserToken != nil {
		schemes = append(schemes, schema.Object{
			"type": "oauthbearertoken", "name": "Microsoft Entra user token", "primary": false,
			"description": "The token of a user who signed in with Microsoft Entra ID, for /Me only",
			"specUri":     "https://www.rfc-editor.org/rfc/rfc6750",
		})
	}
	return schemes
}
