package openapi

// addParts describes the parameters, headers and errors that operations refer to.
func (d *document) addParts() {
	d.addParameters()
	text := &Schema{Type: "string"}
	d.Components.Headers = map[string]*header{
		"Events-Position":    {Description: "Where to begin with what changes after this list. Of pages, that of the first counts.", Schema: text},
		"ETag":               {Description: "The version.", Schema: &Schema{Type: "string", Examples: []string{`W/"3"`}}},
		"Location":           {Description: "The URL of the resource.", Schema: &Schema{Type: "string", Format: "uri"}},
		"Preference-Applied": {Description: "The preference that was followed.", Schema: text},
		"Retry-After":        {Description: "After how many seconds to try again.", Schema: &Schema{Type: "integer"}},
		"WWW-Authenticate":   {Description: "How to prove who is calling (RFC 6750).", Schema: text},
	}
	d.Components.Responses = map[string]*response{"Failed": {Description: "The request failed.", Content: content(d.ref("Error"))}}
	with := map[int]string{400: "WWW-Authenticate", 401: "WWW-Authenticate", 403: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
	for status, problem := range problems() {
		answer := &response{Description: problem.meaning, Content: content(d.ref("Error"))}
		if name := with[status]; name != "" {
			answer.Headers = headers(name)
		}
		d.Components.Responses[problem.name] = answer
	}
}

func (d *document) addParameters() {
	d.Components.Parameters = map[string]*parameter{}
	add := func(in, name, description string, s *Schema) *parameter {
		p := &parameter{Name: name, In: in, Description: description, Schema: s}
		d.Components.Parameters[name] = p
		return p
	}
	text, integer := &Schema{Type: "string"}, func(least int) *Schema { return &Schema{Type: "integer", Minimum: &least} }
	add("path", "id", "The id.", text).Required = true
	add("query", "filter", filterHelp, &Schema{
		Type: "string", Examples: []string{`userName eq "anna@contoso.test"`, `meta.lastModified gt "2026-01-31T12:00:00Z"`},
	})
	together := false
	add("query", "attributes", "The attributes that the answer has, beside `id` and `schemas`.", list(text, "")).Explode = &together
	add("query", "excludedAttributes", "Attributes that the answer does not have.", list(text, "")).Explode = &together
	add("query", "sortBy", "The attribute to sort by.", text)
	add("query", "sortOrder", "Which way to sort: ascending where left out.", &Schema{Type: "string", Enum: []string{"ascending", "descending"}})
	add("query", "startIndex", "The place of the first resource of the page. Pages by index miss what moves meanwhile; those by cursor do not.", integer(1))
	add("query", "count", "The greatest number of resources in the page.", integer(0)).Schema.Maximum = &d.tenant.Limits.Count
	add("query", "cursor", "Empty for the first page; then `nextCursor` of the page before, with the query unchanged (RFC 9865).", text)
	versions := &Schema{Type: "string", Examples: []string{`W/"3"`, "*"}}
	add("header", "If-Match", "Versions of which the resource has to have one.", versions)
	add("header", "If-None-Match", "Versions of which the resource must have none: a GET is 304 then.", versions)
	add("header", "Prefer", "Whether the answer has the resource (RFC 7240).",
		&Schema{Type: "string", Enum: []string{"return=minimal", "return=representation"}})
}
