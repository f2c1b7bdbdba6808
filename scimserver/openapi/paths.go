package openapi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// mediaType is that of requests and answers (RFC 7644 section 3.1).
const mediaType = "application/scim+json"

// problem is an error that operations answer.
type problem struct{ name, meaning string }

// problems are by their HTTP status.
func problems() map[int]problem {
	return map[int]problem{
		400: {"BadRequest", "The request cannot be understood, or names what there is not."},
		401: {"Unauthorized", "There is no valid credential."},
		403: {"Forbidden", "The credential gives no access to this."},
		404: {"NotFound", "Nobody has this id."},
		409: {"Conflict", "Another resource has a value that must be unique."},
		410: {"Gone", "What changed since then cannot be told any more: read all again, and go on from the Events-Position of that."},
		412: {"PreconditionFailed", "The resource has another version than the request was meant for."},
		413: {"TooLarge", "The body is larger than allowed."},
		415: {"UnsupportedMediaType", "The body has another media type or content coding."},
		429: {"TooManyRequests", "This credential sends more requests than it may."},
		503: {"Unavailable", "Not now: nothing was changed, unless the detail says that it is not known."},
	}
}

func content(s *Schema) map[string]media { return map[string]media{mediaType: {s}} }

func named(names ...string) (parameters []*parameter) {
	for _, name := range names {
		parameters = append(parameters, &parameter{Ref: "#/components/parameters/" + name})
	}
	return parameters
}

func headers(names ...string) map[string]*header {
	out := map[string]*header{}
	for _, name := range names {
		out[name] = &header{Ref: "#/components/headers/" + name}
	}
	return out
}

// operation completes an operation with the errors that it answers: those given and those of every one.
func (d *document) operation(o *operation, errors ...int) *operation {
	for _, status := range slices.Concat(errors, []int{400, 401, 403, 429, 503}) {
		o.Responses[strconv.Itoa(status)] = &response{Ref: "#/components/responses/" + problems()[status].name}
	}
	o.Responses["default"] = &response{Ref: "#/components/responses/Failed"}
	return o
}

func ok(description string, s *Schema, with ...string) map[string]*response {
	return map[string]*response{"200": {Description: description, Headers: headers(with...), Content: content(s)}}
}

// addType describes the resources of a type and their endpoints.
func (d *document) addType(rt *schema.ResourceType) {
	all, one := strings.TrimPrefix(rt.Endpoint, "/"), strings.ToLower(rt.Name)
	attributes := slices.Concat(rt.Common(), rt.Schema.Attributes)
	out, in := answered.object(attributes, rt.Extensions...), sent.object(attributes, rt.Extensions...)
	out.Description = "A " + one + " as the server answers it."
	in.Description = "A " + one + " as a client sends it. Attributes that are not described are ignored."
	in.Properties["schemas"] = list(&Schema{Type: "string"}, "URNs of the schemas that the resource has values of.")
	in.Required = append(in.Required, "schemas")
	d.Components.Schemas[rt.Name], d.Components.Schemas[rt.Name+"Request"] = out, in
	d.addList(rt.Name+"List", d.ref(rt.Name))

	tags := []string{all}
	d.Tags = append(d.Tags, tag{all, "The " + strings.ToLower(all) + " of the directory."})
	resource, page, shown := d.ref(rt.Name), d.ref(rt.Name+"List"), []string{"attributes", "excludedAttributes"}
	request := func(name string) *body { return &body{true, content(d.ref(name))} }
	searching := slices.Concat([]string{"filter"}, shown, []string{"sortBy", "sortOrder", "startIndex", "count", "cursor"})
	writing := slices.Concat([]string{"id"}, shown, []string{"If-Match", "If-None-Match", "Prefer"})
	nothing := func(description string, with ...string) *response {
		return &response{Description: description, Headers: headers(with...)}
	}

	d.Paths[rt.Endpoint] = map[string]*operation{
		"get": d.operation(&operation{OperationID: "list" + all, Summary: "Find " + strings.ToLower(all), Tags: tags, Parameters: named(searching...),
			Responses: ok("A page of those found.", page, "Events-Position")}),
		"post": d.operation(&operation{OperationID: "create" + rt.Name, Summary: "Create a " + one, Tags: tags, RequestBody: request(rt.Name + "Request"),
			Parameters: named(append(shown, "Prefer")...),
			Responses: map[string]*response{"201": {Description: "It was created. With `Prefer: return=minimal` there is no body.",
				Headers: headers("Location", "ETag", "Preference-Applied"), Content: content(resource)}}}, 409, 413, 415),
	}
	d.Paths[rt.Endpoint+"/.search"] = map[string]*operation{"post": d.operation(&operation{OperationID: "search" + all,
		Summary: "Find " + strings.ToLower(all) + " by a query in the body", Tags: tags, RequestBody: request("SearchRequest"),
		Responses: ok("A page of those found.", page, "Events-Position")}, 413, 415)}

	read := ok("The "+one+".", resource, "ETag")
	read["304"] = nothing("The client has the present version.", "ETag")
	replaced := ok("The "+one+" as it is now.", resource, "ETag", "Preference-Applied")
	replaced["204"] = nothing("It was replaced; `Prefer: return=minimal` asked for no body.", "ETag", "Preference-Applied")
	changed := ok("The "+one+" as it is now, where `Prefer`, `attributes` or `excludedAttributes` ask for it.", resource, "ETag", "Preference-Applied")
	changed["204"] = nothing("It was changed.", "ETag", "Preference-Applied")
	d.Paths[rt.Endpoint+"/{id}"] = map[string]*operation{
		"get": d.operation(&operation{OperationID: "get" + rt.Name, Summary: "Read a " + one, Tags: tags,
			Parameters: named(slices.Concat([]string{"id"}, shown, []string{"If-Match", "If-None-Match"})...), Responses: read}, 404, 412),
		"put": d.operation(&operation{OperationID: "replace" + rt.Name, Summary: "Replace a " + one, Tags: tags, Parameters: named(writing...),
			RequestBody: request(rt.Name + "Request"), Responses: replaced}, 404, 409, 412, 413, 415),
		"patch": d.operation(&operation{OperationID: "patch" + rt.Name, Summary: "Change a " + one, Tags: tags, Parameters: named(writing...),
			RequestBody: request("PatchRequest"), Responses: changed}, 404, 409, 412, 413, 415),
		"delete": d.operation(&operation{OperationID: "delete" + rt.Name, Summary: "Delete a " + one, Tags: tags,
			Parameters: named("id", "If-Match", "If-None-Match"), Responses: map[string]*response{"204": nothing("It was deleted.")}}, 404, 412),
	}
	if rt.Schema.ID == schema.CoreUser && d.tenant.SignsIn {
		me := ok("The user who is calling.", resource, "ETag", "Location")
		me["304"] = read["304"]
		d.Paths["/Me"] = map[string]*operation{"get": d.operation(&operation{OperationID: "getMe", Summary: "Read the user who is calling", Tags: tags,
			Security:   []map[string][]string{{"person": {}}},
			Parameters: named(slices.Concat(shown, []string{"If-Match", "If-None-Match"})...), Responses: me}, 404, 412)}
	}
}
