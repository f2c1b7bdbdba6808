package openapi

import (
	"strings"

	"github.com/tenantry/tenantry/scimserver/schema"
)

const messages = "urn:ietf:params:scim:api:messages:2.0:"

func text(description string) *Schema { return &Schema{Type: "string", Description: description} }

func integer(description string, least int) *Schema {
	return &Schema{Type: "integer", Description: description, Minimum: &least}
}

func list(items *Schema, description string) *Schema {
	return &Schema{Type: "array", Items: items, Description: description}
}

func object(description string, required []string, described properties) *Schema {
	return &Schema{Type: "object", Description: description, Required: required, Properties: described}
}

func (d *document) ref(name string) *Schema { return &Schema{Ref: "#/components/schemas/" + name} }

// message describes a message of RFC 7644, which names its schema.
func message(name, description string, required []string, described properties) *Schema {
	described["schemas"] = list(&Schema{Type: "string", Const: messages + name}, "")
	return object(description, append([]string{"schemas"}, required...), described)
}

// addList describes a page of resources (RFC 7644 section 3.4.2, RFC 9865 section 2).
func (d *document) addList(name string, resource *Schema) {
	d.Components.Schemas[name] = message("ListResponse", "A page of resources.", []string{"totalResults", "itemsPerPage", "Resources"},
		properties{
			"totalResults": integer("How many resources the query finds in all.", 0),
			"startIndex":   integer("The place of the first resource of this page, from 1 on. Absent where pages are asked for by cursor.", 1),
			"itemsPerPage": integer("How many resources this page has.", 0),
			"nextCursor":   text("Where the next page begins. Absent from the last page, and where pages are asked for by startIndex."),
			"Resources":    list(resource, "The resources of this page."),
		})
}

// addMessages describes what is sent and answered beside resources.
func (d *document) addMessages() {
	page := d.tenant.Limits.Count
	number := func(description string, least int) *Schema {
		n := integer(description, least)
		if least == 0 {
			n.Maximum = &page
		}
		return n
	}
	names := list(&Schema{Type: "string"}, "Names of attributes, such as userName, name.familyName or a schema's URN.")
	d.Components.Schemas = properties{
		"Error": message("Error", "What was wrong, and what would be accepted (RFC 7644 section 3.12). No value that was sent is repeated.",
			[]string{"status", "detail"}, properties{
				"status":   text("The HTTP status, as text."),
				"scimType": {Type: "string", Description: "The kind of error.", Enum: scimTypes()},
				"detail":   text("For people: what was wrong, and by which id the server logged the request."),
			}),
		"SearchRequest": message("SearchRequest", "A query whose parameters stand in the body (RFC 7644 section 3.4.3).", nil, properties{
			"filter": text(filterHelp), "attributes": names, "excludedAttributes": names,
			"sortBy":     text("The attribute to sort by."),
			"sortOrder":  {Type: "string", Enum: []string{"ascending", "descending"}},
			"startIndex": number("The place of the first resource of the page, from 1 on.", 1),
			"count":      number("The greatest number of resources in the page.", 0),
			"cursor":     text("Empty for the first page; then nextCursor of the page before, with the query unchanged."),
		}),
		"PatchRequest": message("PatchOp", "Changes of a resource, all or none (RFC 7644 section 3.5.2).", []string{"Operations"}, properties{
			"Operations": list(object("One change.", []string{"op"}, properties{
				"op": {Type: "string", Enum: []string{"add", "replace", "remove"}},
				"path": {
					Type: "string", Description: "What is changed; the resource itself where left out.",
					Examples: []string{`emails[type eq "work"].value`, "members"},
				},
				"value": {Description: "What is added or put in the place of what is there."},
			}), "The changes, made one after the other."),
		}),
		"BulkRequest": message("BulkRequest", "Changes of several resources, each by itself (RFC 7644 section 3.7).", []string{"Operations"}, properties{
			"failOnErrors": integer("After how many failures no further operation is attempted. All are where left out.", 0),
			"Operations": {Type: "array", MaxItems: d.tenant.Limits.Operations, Items: object("One operation.", []string{"method", "path"}, properties{
				"method":  {Type: "string", Enum: []string{"POST", "PUT", "PATCH", "DELETE"}},
				"path":    text("The resource or, with POST, its endpoint, as in /Users."),
				"bulkId":  text("A name by which other operations refer to what is created, as bulkId:NAME."),
				"version": text("The version that the resource has to have, as with If-Match."),
				"data":    {Type: "object", Description: "The body that the operation would have by itself."},
			})},
		}),
		"BulkResponse": message("BulkResponse", "How each operation ended that was attempted.", []string{"Operations"}, properties{
			"Operations": list(object("How one operation ended.", []string{"status"}, properties{
				"method": text("The method of the operation."), "bulkId": text("Its name."), "location": text("The URL of the resource."),
				"version": text("The version that the resource has now."), "status": text("The HTTP status, as text."), "response": d.ref("Error"),
			}), ""),
		}),
	}
	for _, definition := range schema.Discovery() {
		name := definition.ID[strings.LastIndexByte(definition.ID, ':')+1:]
		described := found.object(definition.Attributes)
		described.Description = definition.Description + "."
		described.Required = append(described.Required, "schemas", "meta")
		described.Properties["schemas"] = list(&Schema{Type: "string", Const: definition.ID}, "")
		described.Properties["meta"] = object("Metadata of the resource.", []string{"resourceType", "location"}, properties{
			"resourceType": {Type: "string", Const: name}, "location": {Type: "string", Format: "uri"},
		})
		d.Components.Schemas[name] = described
	}
	// The parts of a complex attribute are attributes.
	attributes := d.Components.Schemas["Schema"].Properties["attributes"]
	d.Components.Schemas["Attribute"], attributes.Items = attributes.Items, d.ref("Attribute")
	d.Components.Schemas["Attribute"].Properties["subAttributes"].Items = d.ref("Attribute")
}

const filterHelp = "Which resources, as RFC 7644 section 3.4.2.2 says it."

// scimTypes are those of RFC 7644 section 3.12 and RFC 9865 section 2.1 that this server answers, and its own for /Me.
func scimTypes() []string {
	return []string{
		schema.InvalidFilter, schema.InvalidPath, schema.InvalidSyntax, schema.InvalidValue, schema.IsMutability, schema.NoTarget, schema.TooMany,
		"uniqueness", "invalidCount", "invalidCursor", "expiredCursor", "unknown", "inactive", "ambiguous",
	}
}
