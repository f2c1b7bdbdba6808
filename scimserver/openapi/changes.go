package openapi

// addChanges describes the feed of changes.
func (d *document) addChanges() {
	operations := func(names ...string) *Schema { return &Schema{Type: "string", Enum: names} }
	d.Components.Schemas["Changes"] = object("What became of users and groups.", []string{"changes", "position", "more"}, properties{
		"changes": list(object("One change. It has no values: the resource is read by its id.", []string{"type", "id", "operation", "time"}, properties{
			"type":       operations("User", "Group"),
			"id":         text("The id of the resource."),
			"operation":  operations("create", "update", "delete"),
			"time":       {Type: "string", Format: "date-time"},
			"attributes": list(&Schema{Type: "string"}, "What an update changed."),
			"members": list(object("A member that came or went.", []string{"id", "operation"}, properties{
				"id": text("The id of the member."), "operation": operations("add", "remove"),
			}), "The members that came to a group and went. Absent where none did, and where there were more than are told: the group is read then."),
		}), "The changes in the order in which they took effect."),
		"position": text("Where the next request goes on, as its after."),
		"more":     {Type: "boolean", Description: "Whether there are more changes already."},
	})
	limits, one, zero := &d.tenant.Limits, 1, 0
	query := func(name, description string, required bool, s *Schema) *parameter {
		return &parameter{Name: name, In: "query", Description: description, Required: required, Schema: s}
	}
	d.Tags = append(d.Tags, tag{"Changes", "What changed since."})
	d.Paths["/Changes"] = map[string]*operation{"get": d.operation(&operation{
		OperationID: "listChanges", Summary: "Follow what changes", Tags: []string{"Changes"},
		Parameters: []*parameter{
			query("after", "A `position`, the header `Events-Position` of a list, or `latest`.", true, &Schema{Type: "string"}),
			query("wait", "For how many seconds to wait where there are no changes.", false, &Schema{Type: "integer", Minimum: &zero, Maximum: &limits.Wait}),
			query("count", "The greatest number of changes.", false, &Schema{Type: "integer", Minimum: &one, Maximum: &limits.Changes}),
		},
		Responses: map[string]*response{"200": {Description: "The changes.", Content: map[string]media{"application/json": {d.ref("Changes")}}}},
	}, 410)}
}
