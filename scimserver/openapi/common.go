package openapi

import (
	"strings"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// addCommonPaths describes the endpoints that are of no resource type, and what operations have in common.
func (d *document) addCommonPaths() {
	var either []*Schema
	for _, rt := range d.tenant.Types {
		either = append(either, d.ref(rt.Name))
	}
	d.addList("ResourceList", &Schema{AnyOf: either})
	if len(either) == 0 {
		d.addList("ResourceList", &Schema{Type: "object"})
	}
	for _, name := range []string{"ResourceType", "Schema"} {
		d.addList(name+"List", d.ref(name))
	}
	d.Tags = append(d.Tags, tag{"All", "All resource types at once."}, tag{"Discovery", "What the server offers."})
	discovery := func(id, summary, schemaName string, errors ...int) map[string]*operation {
		o := &operation{OperationID: id, Summary: summary, Tags: []string{"Discovery"}, Responses: ok("What is asked for.", d.ref(schemaName))}
		if len(errors) > 0 {
			o.Parameters = named("id")
		}
		return map[string]*operation{"get": d.operation(o, errors...)}
	}
	d.Paths["/ServiceProviderConfig"] = discovery("getServiceProviderConfig", "Read what the server can do", "ServiceProviderConfig")
	d.Paths["/ResourceTypes"] = discovery("listResourceTypes", "List the resource types", "ResourceTypeList")
	d.Paths["/ResourceTypes/{id}"] = discovery("getResourceType", "Read a resource type", "ResourceType", 404)
	d.Paths["/Schemas"] = discovery("listSchemas", "List the schemas", "SchemaList")
	d.Paths["/Schemas/{id}"] = discovery("getSchema", "Read a schema", "Schema", 404)
	d.Paths["/openapi.json"] = map[string]*operation{"get": d.operation(&operation{
		OperationID: "getOpenAPI", Summary: "Read this document", Tags: []string{"Discovery"}, Parameters: named("If-None-Match"),
		Responses: map[string]*response{
			"200": {Description: "This document.", Headers: headers("ETag"), Content: map[string]media{"application/json": {&Schema{Type: "object"}}}},
			"304": {Description: "The client has this document.", Headers: headers("ETag")},
		},
	})}
	d.Paths["/"] = map[string]*operation{"get": d.operation(&operation{
		OperationID: "listResources", Summary: "Find resources of all types", Tags: []string{"All"}, Parameters: named(queryNames...),
		Description: "Without a filter it says what the server can do.",
		Responses: ok("A page of those found, or what the server can do.",
			&Schema{AnyOf: []*Schema{d.ref("ResourceList"), d.ref("ServiceProviderConfig")}}, "Events-Position"),
	})}
	d.Paths["/.search"] = map[string]*operation{"post": d.operation(&operation{
		OperationID: "searchResources", Summary: "Find resources of all types by a query in the body", Tags: []string{"All"},
		RequestBody: d.body("SearchRequest"), Responses: ok("A page of those found.", d.ref("ResourceList"), "Events-Position"),
	}, 413, 415)}
	d.Paths["/Bulk"] = map[string]*operation{"post": d.operation(&operation{
		OperationID: "bulk", Summary: "Change several resources", Tags: []string{"All"}, RequestBody: d.body("BulkRequest"),
		Responses: ok("How each operation ended.", d.ref("BulkResponse")),
	}, 413, 415)}
	d.addChanges()
	if origin, with := strings.CutSuffix(d.tenant.TokenURL, v1alpha1.TokenPath); with {
		d.Tags = append(d.Tags, tag{"Token", "The token endpoint (RFC 6749)."})
		d.addTokenEndpoint(origin)
	}
	d.addParts()
}
