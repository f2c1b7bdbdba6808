// Package openapi describes the endpoints of one tenant in OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0), so that developers can make
// types and clients of it. The resources in it have the attributes of the tenant's own schemas. It is pure: a tenant in, a document out.
package openapi

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// Tenant is what a document describes.
type Tenant struct {
	// Name is shown to people.
	Name string
	// URL is the Tenant URL, without a slash at its end.
	URL string
	// TokenURL is that of the token endpoint, "" where the tenant has none.
	TokenURL string
	// Types are the resource types that the tenant offers. Nobody changes them.
	Types []*schema.ResourceType
	// SignsIn tells whether people sign in with tokens of their own, for /Me.
	SignsIn bool
	Limits  Limits
}

// Equal reports whether the documents of two tenants are the same.
func (t *Tenant) Equal(other *Tenant) bool {
	return t.Name == other.Name && t.URL == other.URL && t.TokenURL == other.TokenURL && t.SignsIn == other.SignsIn && t.Limits == other.Limits &&
		slices.Equal(t.Types, other.Types)
}

// Limits are the greatest numbers of what a client may ask for.
type Limits struct {
	Count, Operations, Changes int
	// Wait is in seconds.
	Wait int
}

// Document returns the document as JSON. Two of the same tenant are the same to the byte.
func Document(t *Tenant) ([]byte, error) {
	d := &document{
		OpenAPI: "3.1.0",
		Info: info{
			Title: "The SCIM server of " + t.Name, Version: "2.0",
			Description: "SCIM 2.0 (RFC 7643, RFC 7644) with paging by cursor (RFC 9865). An answer may have members that are not described here, " +
				"and a client ignores those. With `attributes` and `excludedAttributes`, and where a value is not set, any attribute but `id` and `schemas` " +
				"is absent.",
		},
		Servers: []server{{t.URL}},
		Paths:   map[string]map[string]*operation{},
		tenant:  t,
	}
	d.addSecurity()
	d.addMessages()
	for _, rt := range t.Types {
		d.addType(rt)
	}
	d.addCommonPaths()
	encoded, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode the description of the tenant's endpoints: %w", err)
	}
	return encoded, nil
}

// document is the document (OpenAPI 3.1 section 4.8.1). The types below have those parts of it that are used here.
type document struct {
	OpenAPI    string                           `json:"openapi"`
	Info       info                             `json:"info"`
	Servers    []server                         `json:"servers"`
	Security   []map[string][]string            `json:"security"`
	Tags       []tag                            `json:"tags"`
	Paths      map[string]map[string]*operation `json:"paths"`
	Components components                       `json:"components"`

	tenant *Tenant
}

type info struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	Version     string `json:"version"`
}

type server struct {
	URL string `json:"url"`
}

type tag struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

type components struct {
	Schemas         properties                 `json:"schemas"`
	Responses       map[string]*response       `json:"responses"`
	Parameters      map[string]*parameter      `json:"parameters"`
	Headers         map[string]*header         `json:"headers"`
	SecuritySchemes map[string]*securityScheme `json:"securitySchemes"`
}

type operation struct {
	OperationID string                `json:"operationId"`
	Summary     string                `json:"summary"`
	Description string                `json:"description,omitempty"`
	Tags        []string              `json:"tags"`
	Servers     []server              `json:"servers,omitempty"`
	Security    []map[string][]string `json:"security,omitempty"`
	Parameters  []*parameter          `json:"parameters,omitempty"`
	RequestBody *body                 `json:"requestBody,omitempty"`
	Responses   map[string]*response  `json:"responses"`
}

type parameter struct {
	Ref         string  `json:"$ref,omitempty"`
	Name        string  `json:"name,omitempty"`
	In          string  `json:"in,omitempty"`
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitempty"`
	Explode     *bool   `json:"explode,omitempty"`
	Schema      *Schema `json:"schema,omitempty"`
}

type body struct {
	Required bool             `json:"required"`
	Content  map[string]media `json:"content"`
}

type media struct {
	Schema *Schema `json:"schema"`
}

type response struct {
	Ref         string             `json:"$ref,omitempty"`
	Description string             `json:"description,omitempty"`
	Headers     map[string]*header `json:"headers,omitempty"`
	Content     map[string]media   `json:"content,omitempty"`
}

type header struct {
	Ref         string  `json:"$ref,omitempty"`
	Description string  `json:"description,omitempty"`
	Schema      *Schema `json:"schema,omitempty"`
}

type securityScheme struct {
	Type         string `json:"type"`
	Description  string `json:"description"`
	Scheme       string `json:"scheme,omitempty"`
	BearerFormat string `json:"bearerFormat,omitempty"`
	Flows        *flows `json:"flows,omitempty"`
}

type flows struct {
	ClientCredentials flow `json:"clientCredentials"`
}

type flow struct {
	TokenURL string            `json:"tokenUrl"`
	Scopes   map[string]string `json:"scopes"`
}
