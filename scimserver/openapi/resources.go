package openapi

import (
	"slices"
	"strings"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// addType describes the resources of a type and their endpoints.
func (d *document) addType(rt *schema.ResourceType) {
	r := resources{d, rt, strings.TrimPrefix(rt.Endpoint, "/"), strings.ToLower(rt.Name)}
	r.addSchemas()
	d.Tags = append(d.Tags, tag{r.all, "The " + strings.ToLower(r.all) + " of the directory."})
	d.Paths[rt.Endpoint] = r.collection()
	d.Paths[rt.Endpoint+"/.search"] = r.search()
	d.Paths[rt.Endpoint+"/{id}"] = r.single()
	if rt.Schema.ID == schema.CoreUser && d.tenant.SignsIn {
		d.Paths["/Me"] = r.me()
	}
}

// resources are those of one type.
type resources struct {
	*document

	rt       *schema.ResourceType
	all, one string // as in Users, and as in user
}

func (r resources) addSchemas() {
	attributes := slices.Concat(r.rt.Common(), r.rt.Schema.Attributes)
	out, in := answered.object(attributes, r.rt.Extensions...), sent.object(attributes, r.rt.Extensions...)
	out.Description = "A " + r.one + " as the server answers it."
	in.Description = "A " + r.one + " as a client sends it. Attributes that are not described are ignored."
	in.Properties["schemas"] = list(&Schema{Type: "string"}, "URNs of the schemas that the resource has values of.")
	in.Required = append(in.Required, "schemas")
	r.Components.Schemas[r.rt.Name], r.Components.Schemas[r.rt.Name+"Request"] = out, in
	r.addList(r.rt.Name+"List", r.resource())
}

func (r resources) resource() *Schema { return r.ref(r.rt.Name) }

// do completes an operation with what all of the type have.
func (r resources) do(o *operation, errors ...int) *operation {
	o.Tags = []string{r.all}
	return r.operation(o, errors...)
}

func (r resources) collection() map[string]*operation {
	return map[string]*operation{
		"get": r.do(&operation{
			OperationID: "list" + r.all, Summary: "Find " + strings.ToLower(r.all), Parameters: named(queryNames...),
			Responses: ok("A page of those found.", r.ref(r.rt.Name+"List"), "Events-Position"),
		}),
		"post": r.do(&operation{
			OperationID: "create" + r.rt.Name, Summary: "Create a " + r.one,
			Parameters: named("attributes", "excludedAttributes", "Prefer"), RequestBody: r.body(r.rt.Name + "Request"),
			Responses: map[string]*response{"201": {
				Description: "It was created. With `Prefer: return=minimal` there is no body.",
				Headers:     headers("Location", "ETag", "Preference-Applied"), Content: content(r.resource()),
			}},
		}, 409, 413, 415),
	}
}

func (r resources) search() map[string]*operation {
	return map[string]*operation{"post": r.do(&operation{
		OperationID: "search" + r.all, Summary: "Find " + strings.ToLower(r.all) + " by a query in the body", RequestBody: r.body("SearchRequest"),
		Responses: ok("A page of those found.", r.ref(r.rt.Name+"List"), "Events-Position"),
	}, 413, 415)}
}

func (r resources) single() map[string]*operation {
	replaced := ok("The "+r.one+" as it is now.", r.resource(), "ETag", "Preference-Applied")
	replaced["204"] = nothing("It was replaced; `Prefer: return=minimal` asked for no body.", "ETag", "Preference-Applied")
	changed := ok("The "+r.one+" as it is now, where `Prefer`, `attributes` or `excludedAttributes` ask for it.", r.resource(), "ETag", "Preference-Applied")
	changed["204"] = nothing("It was changed.", "ETag", "Preference-Applied")
	writing := named("id", "attributes", "excludedAttributes", "If-Match", "If-None-Match", "Prefer")
	return map[string]*operation{
		"get": r.do(&operation{
			OperationID: "get" + r.rt.Name, Summary: "Read a " + r.one,
			Parameters: named("id", "attributes", "excludedAttributes", "If-Match", "If-None-Match"), Responses: r.read("The "+r.one+".", "ETag"),
		}, 404, 412),
		"put": r.do(&operation{
			OperationID: "replace" + r.rt.Name, Summary: "Replace a " + r.one,
			Parameters: writing, RequestBody: r.body(r.rt.Name + "Request"), Responses: replaced,
		}, 404, 409, 412, 413, 415),
		"patch": r.do(&operation{
			OperationID: "patch" + r.rt.Name, Summary: "Change a " + r.one,
			Parameters: writing, RequestBody: r.body("PatchRequest"), Responses: changed,
		}, 404, 409, 412, 413, 415),
		"delete": r.do(&operation{
			OperationID: "delete" + r.rt.Name, Summary: "Delete a " + r.one,
			Parameters: named("id", "If-Match", "If-None-Match"), Responses: map[string]*response{"204": nothing("It was deleted.")},
		}, 404, 412),
	}
}

func (r resources) me() map[string]*operation {
	return map[string]*operation{"get": r.do(&operation{
		OperationID: "getMe", Summary: "Read the user who is calling", Security: []map[string][]string{{"person": {}}},
		Parameters: named("attributes", "excludedAttributes", "If-Match", "If-None-Match"),
		Responses:  r.read("The user who is calling.", "ETag", "Location"),
	}, 404, 412)}
}

// read describes the answers to a request that reads one resource.
func (r resources) read(description string, with ...string) map[string]*response {
	answers := ok(description, r.resource(), with...)
	answers["304"] = nothing("The client has the present version.", "ETag")
	return answers
}
