package protocol

import (
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// discovery binds a handler that says what the server offers. Every other query parameter is ignored there, but a filter
// is refused, so that nobody takes an unfiltered answer for a filtered one (RFC 7644 section 4).
func discovery(handle func(*request) error) map[string]endpoint {
	return map[string]endpoint{http.MethodGet: reads(func(r *request) error {
		if r.query.Has("filter") {
			return &Error{Status: http.StatusForbidden, Detail: "discovery endpoints cannot be filtered (RFC 7644 section 4)"}
		}
		return handle(r)
	})}
}

// serviceProviderConfig says what this server can do (RFC 7643 section 5), and nothing that it cannot.
func (s *Server) serviceProviderConfig(r *request) error {
	unsupported := schema.Object{"supported": false}
	write(r.out, http.StatusOK, schema.Object{
		"schemas":        []any{schema.CoreServiceProviderConfig},
		"patch":          schema.Object{"supported": true},
		"bulk":           schema.Object{"supported": true, "maxOperations": MaxBulkOperations, "maxPayloadSize": MaxBody},
		"filter":         schema.Object{"supported": true, "maxResults": MaxCount},
		"changePassword": unsupported,
		"sort":           schema.Object{"supported": true},
		"etag":           schema.Object{"supported": true},
		"pagination": schema.Object{
			"cursor": true, "index": true, "defaultPaginationMethod": "index",
			"defaultPageSize": DefaultCount, "maxPageSize": MaxCount, "cursorTimeout": int(CursorTimeout.Seconds()),
		},
		"authenticationSchemes": authenticationSchemes(r.settings.Tenant.Spec.Authentication),
		"meta":                  schema.Object{"resourceType": "ServiceProviderConfig", "location": r.base + "/ServiceProviderConfig"},
	})
	return nil
}

// allTypes are the resource types of every tenant, in the order in which they are listed.
func (s *Server) allTypes() iter.Seq2[store.Kind, *schema.ResourceType] {
	return func(yield func(store.Kind, *schema.ResourceType) bool) {
		for _, kind := range []store.Kind{store.User, store.Group} {
			if !yield(kind, s.directory.Type(kind)) {
				return
			}
		}
	}
}

// types are the resource types that the tenant offers to the client.
func (s *Server) types(r *request) []*schema.ResourceType {
	var types []*schema.ResourceType
	for kind, rt := range s.allTypes() {
		if s.enabled(r, kind) == nil {
			types = append(types, rt)
		}
	}
	return types
}

func (s *Server) resourceTypes(r *request) error {
	var all []any
	for _, rt := range s.types(r) {
		all = append(all, describeType(r, rt))
	}
	return r.whole(all)
}

func (s *Server) resourceType(r *request) error {
	for _, rt := range s.types(r) {
		if strings.EqualFold(rt.ID, r.http.PathValue("id")) {
			write(r.out, http.StatusOK, describeType(r, rt))
			return nil
		}
	}
	for kind, rt := range s.allTypes() {
		if strings.EqualFold(rt.ID, r.http.PathValue("id")) {
			return s.enabled(r, kind)
		}
	}
	return &Error{Status: http.StatusNotFound, Detail: "there is no such resource type; /ResourceTypes lists them"}
}

func describeType(r *request, rt *schema.ResourceType) schema.Object {
	extensions := make([]any, len(rt.Extensions))
	for i, extension := range rt.Extensions {
		extensions[i] = schema.Object{"schema": extension.ID, "required": false}
	}
	return schema.Object{
		"schemas": []any{schema.CoreResourceType}, "id": rt.ID, "name": rt.Name, "description": rt.Description,
		"endpoint": rt.Endpoint, "schema": rt.Schema.ID, "schemaExtensions": extensions,
		"meta": schema.Object{"resourceType": "ResourceType", "location": r.base + "/ResourceTypes/" + rt.ID},
	}
}

// publishedSchema is a schema definition as RFC 7643 section 7 wants it.
type publishedSchema struct {
	Schemas     []string            `json:"schemas"`
	ID          string              `json:"id"`
	Name        string              `json:"name"`
	Description string              `json:"description"`
	Attributes  []*schema.Attribute `json:"attributes"`
	Meta        schema.Object       `json:"meta"`
}

// allSchemas are the schemas of the resource types that the tenant offers to the client, and those of what discovery answers.
func (s *Server) allSchemas(r *request) []publishedSchema {
	var all []*schema.Schema
	for _, rt := range s.types(r) {
		all = append(append(all, rt.Schema), rt.Extensions...)
	}
	all = append(all, schema.Discovery()...)
	published := make([]publishedSchema, len(all))
	for i, definition := range all {
		published[i] = publishedSchema{
			Schemas: []string{schema.CoreSchema}, ID: definition.ID, Name: definition.Name,
			Description: definition.Description, Attributes: definition.Published(),
			Meta: schema.Object{"resourceType": "Schema", "location": r.base + "/Schemas/" + definition.ID},
		}
	}
	return published
}

func (s *Server) schemas(r *request) error {
	var all []any
	for _, published := range s.allSchemas(r) {
		all = append(all, published)
	}
	return r.whole(all)
}

func (s *Server) schema(r *request) error {
	for _, published := range s.allSchemas(r) {
		if strings.EqualFold(published.ID, r.http.PathValue("id")) {
			write(r.out, http.StatusOK, published)
			return nil
		}
	}
	for kind, rt := range s.allTypes() {
		if slices.ContainsFunc(append(slices.Clone(rt.Extensions), rt.Schema), func(definition *schema.Schema) bool {
			return strings.EqualFold(definition.ID, r.http.PathValue("id"))
		}) {
			return s.enabled(r, kind)
		}
	}
	return &Error{Status: http.StatusNotFound, Detail: "there is no such schema; /Schemas lists them"}
}

// whole answers with a list in one page.
func (r *request) whole(all []any) error {
	if all == nil {
		all = []any{}
	}
	write(r.out, http.StatusOK, schema.Object{
		"schemas": []any{listSchema}, "totalResults": len(all), "startIndex": 1, "itemsPerPage": len(all), "Resources": all,
	})
	return nil
}
