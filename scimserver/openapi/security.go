package openapi

import "github.com/tenantry/tenantry/api/v1alpha1"

// formType is that of a token request (RFC 6749 section 4.4.2).
const formType = "application/x-www-form-urlencoded"

// addSecurity describes who may call, and the token endpoint.
func (d *document) addSecurity() {
	schemes := map[string]*securityScheme{
		"bearer": {
			Type: "http", Scheme: "bearer",
			Description: "The tenant's Secret Token, which also changes the directory, or the token of a reader, which only reads it.",
		},
	}
	d.Security = []map[string][]string{{"bearer": {}}}
	if d.tenant.TokenURL != "" {
		schemes["oauth2"] = &securityScheme{
			Type: "oauth2", Description: "An access token for the client of the tenant: by client ID and secret, or by a client assertion (RFC 7523).",
			Flows: &flows{flow{d.tenant.TokenURL, map[string]string{"scim": "SCIM, and what the client's role lets it do there."}}},
		}
		d.Security = append(d.Security, map[string][]string{"oauth2": {"scim"}})
	}
	if d.tenant.SignsIn {
		schemes["person"] = &securityScheme{
			Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The token of a person who signed in with Microsoft Entra ID.",
		}
	}
	d.Components.SecuritySchemes = schemes
}

// addTokenEndpoint describes the token endpoint and its metadata, which are beside the Tenant URL.
func (d *document) addTokenEndpoint(origin string) {
	d.Components.Schemas["TokenError"] = object("What was wrong (RFC 6749 section 5.2).", []string{"error"}, properties{
		"error": {Type: "string", Enum: []string{
			"invalid_request", "invalid_client", "unsupported_grant_type", "temporarily_unavailable", "server_error",
		}},
		"error_description": text("For people."),
	})
	content := func(s *Schema) map[string]media { return map[string]media{"application/json": {s}} }
	failed := func(meaning string) *response {
		return &response{Description: meaning, Content: content(d.ref("TokenError")), Headers: headers("Retry-After")}
	}
	d.Paths[v1alpha1.TokenPath] = map[string]*operation{"post": {
		OperationID: "issueToken", Summary: "Get an access token", Tags: []string{"Token"}, Servers: []server{{origin}}, Security: []map[string][]string{{}},
		Description: "The client proves who it is by HTTP Basic, by client_id and client_secret, or by a client assertion (RFC 6749 section 4.4, RFC 7523).",
		RequestBody: &body{true, map[string]media{formType: {object("", []string{"grant_type"}, properties{
			"grant_type":            {Type: "string", Const: "client_credentials"},
			"scope":                 text("Ignored: there is one scope."),
			"client_id":             text("The client ID."),
			"client_secret":         {Type: "string", WriteOnly: true, Description: "The client secret."},
			"client_assertion":      {Type: "string", WriteOnly: true, Description: "A JSON Web Token that says who the client is."},
			"client_assertion_type": {Type: "string", Const: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		})}}},
		Responses: map[string]*response{
			"200": {Description: "An access token.", Content: content(object("", []string{"access_token", "token_type", "expires_in", "scope"}, properties{
				"access_token": text("The token, for the header Authorization."), "token_type": {Type: "string", Const: "Bearer"},
				"expires_in": integer("For how many seconds the token is good.", 0), "scope": text("What the token is for."),
			}))},
			"400":     {Description: "The request is none that the endpoint understands.", Content: content(d.ref("TokenError"))},
			"401":     {Description: "The client did not prove who it is.", Content: content(d.ref("TokenError")), Headers: headers("WWW-Authenticate")},
			"default": failed("No token was issued."),
		},
	}}
	texts := func(description string) *Schema { return list(&Schema{Type: "string"}, description) }
	d.Paths[v1alpha1.OAuthMetadataPath] = map[string]*operation{"get": {
		OperationID: "getTokenMetadata", Summary: "Read how to get an access token", Tags: []string{"Token"}, Servers: []server{{origin}},
		Description: "The metadata of the token endpoint (RFC 8414).", Security: []map[string][]string{{}},
		Responses: map[string]*response{
			"200": {Description: "The metadata.", Content: content(object("", []string{"issuer", "token_endpoint"}, properties{
				"issuer": {Type: "string", Format: "uri"}, "token_endpoint": {Type: "string", Format: "uri"},
				"response_types_supported": texts("None that an authorization endpoint has."),
				"grant_types_supported":    texts("What the endpoint issues a token for."),
				"scopes_supported":         texts("What tokens are for."), "token_endpoint_auth_methods_supported": texts("How a client proves who it is."),
				"token_endpoint_auth_signing_alg_values_supported": texts("How client assertions are signed."),
			}))},
			"404":     failed("There is no token endpoint."),
			"default": failed("Not now."),
		},
	}}
}
