package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// openEnum ends the description of a field to which values may be added: programs that read it have to expect one that they do not know.
const openEnum = "More values may come."

// comparison collects what of a change could break somebody who relies on what was released.
type comparison struct {
	breaks []string
}

func (c *comparison) breaksAt(path, format string, args ...any) {
	c.breaks = append(c.breaks, path+": "+fmt.Sprintf(format, args...))
}

// compare returns what of the change from a released definition to the present one could break somebody: objects that are stored and no longer
// valid or no longer read as they were, manifests that are refused, and programs that read what they do not know. Each begins with its path and
// ends with what to do. Optional fields may come, with rules about themselves, values of enums that are declared open, and versions of the same
// schema. Words and columns may change. Nothing else may, not even a bound that is loosened: programs that read the field rely on it.
func compare(released, present *apiextensionsv1.CustomResourceDefinition) []string {
	var c comparison
	c.names(released.Spec, present.Spec)
	for _, before := range released.Spec.Versions {
		i := slices.IndexFunc(present.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == before.Name })
		if i < 0 {
			c.breaksAt(before.Name, "the version is gone: put it back")
			continue
		}
		c.version(before, present.Spec.Versions[i])
	}
	for _, now := range present.Spec.Versions {
		known := func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == now.Name }
		if i := slices.IndexFunc(released.Spec.Versions, stored); i >= 0 && !slices.ContainsFunc(released.Spec.Versions, known) {
			c.schema(now.Name, schemaOf(released.Spec.Versions[i]), schemaOf(now)) // objects are not converted
		}
	}
	return c.breaks
}

func stored(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Storage }

func schemaOf(v apiextensionsv1.CustomResourceDefinitionVersion) *apiextensionsv1.JSONSchemaProps {
	if v.Schema == nil || v.Schema.OpenAPIV3Schema == nil {
		return &apiextensionsv1.JSONSchemaProps{}
	}
	return v.Schema.OpenAPIV3Schema
}

// names compares by what objects are called, and where they are.
func (c *comparison) names(before, now apiextensionsv1.CustomResourceDefinitionSpec) {
	same := func(what, before, now string) {
		if before != now {
			c.breaksAt(what, "was %q and is %q: put it back", before, now)
		}
	}
	same("group", before.Group, now.Group)
	same("scope", string(before.Scope), string(now.Scope))
	same("names.kind", before.Names.Kind, now.Names.Kind)
	same("names.listKind", before.Names.ListKind, now.Names.ListKind)
	same("names.plural", before.Names.Plural, now.Names.Plural)
	same("names.singular", before.Names.Singular, now.Names.Singular)
	c.remain("names.shortNames", before.Names.ShortNames, now.Names.ShortNames)
	c.remain("names.categories", before.Names.Categories, now.Names.Categories)
	if !reflect.DeepEqual(before.Conversion, now.Conversion) {
		c.breaksAt("conversion", "was changed: put it back")
	}
}

// remain finds what is gone from a list.
func (c *comparison) remain(path string, before, now []string) {
	for _, one := range before {
		if !slices.Contains(now, one) {
			c.breaksAt(path, "%s is gone: put it back", one)
		}
	}
}

func (c *comparison) version(before, now apiextensionsv1.CustomResourceDefinitionVersion) {
	if before.Served && !now.Served {
		c.breaksAt(now.Name, "the version is no longer served: serve it")
	}
	if !reflect.DeepEqual(before.Subresources, now.Subresources) {
		c.breaksAt(now.Name, "its subresources were changed: put them back")
	}
	paths := func(v apiextensionsv1.CustomResourceDefinitionVersion) (list []string) {
		for _, field := range v.SelectableFields {
			list = append(list, field.JSONPath)
		}
		return list
	}
	c.remain(now.Name+": selectableFields", paths(before), paths(now))
	c.schema(now.Name, schemaOf(before), schemaOf(now))
}

// schema compares what is at a path, and below it.
func (c *comparison) schema(path string, before, now *apiextensionsv1.JSONSchemaProps) {
	for name, field := range before.Properties {
		other, there := now.Properties[name]
		switch {
		case refused(&field): // so that nobody has it
		case there:
			c.schema(path+"."+name, &field, &other)
		default:
			c.breaksAt(path+"."+name, "the field is gone: put it back")
		}
	}
	c.required(path, before, now)
	c.enum(path, before, now)
	c.rules(path, before, now)
	c.below(path+"[]", items(before), items(now))
	c.below(path+"[*]", values(before), values(now))
	c.rest(path, before, now)
}

// refused tells whether a field is a former name, with a rule that takes no value.
func refused(s *apiextensionsv1.JSONSchemaProps) bool {
	return slices.ContainsFunc(s.XValidations, func(rule apiextensionsv1.ValidationRule) bool { return rule.Rule == "false" })
}

// below compares the schema of elements, which is nil where there is none.
func (c *comparison) below(path string, before, now *apiextensionsv1.JSONSchemaProps) {
	switch {
	case before != nil && now != nil:
		c.schema(path, before, now)
	case before != nil || now != nil:
		c.breaksAt(path, "the schema of its elements came or went: put it back as it was")
	}
}

func items(s *apiextensionsv1.JSONSchemaProps) *apiextensionsv1.JSONSchemaProps {
	if s.Items == nil {
		return nil
	}
	return s.Items.Schema
}

func values(s *apiextensionsv1.JSONSchemaProps) *apiextensionsv1.JSONSchemaProps {
	if s.AdditionalProperties == nil {
		return nil
	}
	return s.AdditionalProperties.Schema
}

// required lets a field be required where the API server gives it a value.
func (c *comparison) required(path string, before, now *apiextensionsv1.JSONSchemaProps) {
	for _, name := range now.Required {
		if !slices.Contains(before.Required, name) && now.Properties[name].Default == nil {
			c.breaksAt(path+"."+name, "must be given now: let it be missing, with a default under which everything is as before")
		}
	}
	for _, name := range before.Required {
		if !slices.Contains(now.Required, name) {
			c.breaksAt(path+"."+name, "may be missing now: let it be required as before")
		}
	}
}

func (c *comparison) enum(path string, before, now *apiextensionsv1.JSONSchemaProps) {
	had, has := enumTexts(before), enumTexts(now)
	if len(had) > 0 && len(has) == 0 {
		c.breaksAt(path, "takes any value now: put its values back")
		return
	}
	c.remain(path, had, has)
	for _, value := range has {
		if !slices.Contains(had, value) && (len(had) == 0 || !strings.HasSuffix(strings.TrimSpace(before.Description), openEnum)) {
			c.breaksAt(path, "takes %s now, and its description did not end with %q: give it a field of its own", value, openEnum)
		}
	}
}

// rules lets a rule come that says nothing of objects of before: those have neither the field that came with it nor the value. And it lets one
// no longer hold where a field is given that came with the change.
func (c *comparison) rules(path string, before, now *apiextensionsv1.JSONSchemaProps) {
	had, has := ruleTexts(before), ruleTexts(now)
	loosened := map[string]string{} // by what it was
	for name := range now.Properties {
		if !optional(name, before, now) {
			continue
		}
		for _, rule := range had {
			if now := "has(self." + name + ") || (" + rule + ")"; slices.Contains(has, now) {
				loosened[rule] = now
			}
		}
	}
	for _, rule := range had {
		if !slices.Contains(has, rule) && loosened[rule] == "" {
			c.breaksAt(path, "the rule %q is gone: put it back; where a field came that lifts it, begin with has(self.FIELD) || and put the rule in "+
				"parentheses", rule)
		}
	}
	known := slices.Concat(had, slices.Collect(maps.Values(loosened)))
	for _, rule := range has {
		if !slices.Contains(known, rule) && !aboutNew(rule, before, now) {
			c.breaksAt(path, "the rule %q came: take it away; where it is about a field that came, begin with !has(self.FIELD) ||, and about a value, "+
				"with self.FIELD != 'VALUE' ||", rule)
		}
	}
}

var literal = regexp.MustCompile(`'[^']*'|"[^"]*"`)

// aboutNew tells whether a rule holds for whatever was possible before. One with a conditional, which binds weaker than what it begins with, does not.
func aboutNew(rule string, before, now *apiextensionsv1.JSONSchemaProps) bool {
	if code := strings.ReplaceAll(literal.ReplaceAllString(rule, ""), ".?", "."); strings.Contains(code, "?") {
		return false
	}
	for name, field := range now.Properties {
		known, old := before.Properties[name]
		if optional(name, before, now) && strings.HasPrefix(rule, "!has(self."+name+") || ") {
			return true
		}
		for _, value := range enumTexts(&field) {
			if old && !slices.Contains(enumTexts(&known), value) && strings.HasPrefix(rule, "self."+name+" != '"+strings.Trim(value, `"`)+"' || ") {
				return true
			}
		}
	}
	return false
}

// optional tells whether a field came that is missing where nobody gave it.
func optional(name string, before, now *apiextensionsv1.JSONSchemaProps) bool {
	_, old := before.Properties[name]
	return !old && now.Properties[name].Default == nil && !slices.Contains(now.Required, name)
}

// ruleTexts are the rules of a schema. A rule that holds without an old object is another than one that does not.
func ruleTexts(s *apiextensionsv1.JSONSchemaProps) (list []string) {
	for _, rule := range s.XValidations {
		text := rule.Rule
		if rule.OptionalOldSelf != nil && *rule.OptionalOldSelf {
			text += " (optionalOldSelf)"
		}
		list = append(list, text)
	}
	return list
}

func enumTexts(s *apiextensionsv1.JSONSchemaProps) (list []string) {
	for _, value := range s.Enum {
		list = append(list, string(value.Raw))
	}
	return list
}

// rest names every other keyword that is not as it was.
func (c *comparison) rest(path string, before, now *apiextensionsv1.JSONSchemaProps) {
	had, has := keywords(before), keywords(now)
	names := map[string]bool{}
	for name := range had {
		names[name] = true
	}
	for name := range has {
		names[name] = true
	}
	for name := range names {
		if !reflect.DeepEqual(had[name], has[name]) {
			c.breaksAt(path, "%s was %s and is %s: put it back", name, shown(had[name]), shown(has[name]))
		}
	}
}

// keywords are those of a schema that are compared as they are.
func keywords(s *apiextensionsv1.JSONSchemaProps) map[string]any {
	rest := s.DeepCopy()
	rest.Description, rest.Title, rest.Example, rest.ExternalDocs = "", "", nil, nil
	rest.Properties, rest.Required, rest.Enum, rest.XValidations = nil, nil, nil, nil
	if items(rest) != nil {
		rest.Items = nil
	}
	if values(rest) != nil {
		rest.AdditionalProperties = nil
	}
	var found map[string]any
	text, err := json.Marshal(rest)
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	if err != nil {
		return map[string]any{"schema": err.Error()}
	}
	return found
}

func shown(value any) string {
	if value == nil {
		return "not given"
	}
	text, _ := json.Marshal(value) // it came from JSON
	return string(text)
}
