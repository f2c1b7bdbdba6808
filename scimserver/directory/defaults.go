package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/locale"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Defaults is one UserDefaults resource, checked and ready to be applied: in its version of Generation, or with nothing to give.
type Defaults struct {
	Name       string
	Generation int64

	priority int32
	always   bool
	matches  filter.Filter // nil matches everybody
	values   schema.Object
	digest   string

	held    *held // nil where there are values to give
	refused *refusal
}

// NewDefaults checks a UserDefaults resource against its tenant's catalog and resource type of users. The error says of each field
// that is wrong what would be right.
func NewDefaults(ud *v1alpha1.UserDefaults, catalog v1alpha1.Catalog, users *schema.ResourceType) (*Defaults, error) {
	problems := unlisted(ud.Spec, catalog)
	if apply := ud.Spec.Apply; apply != "" && apply != v1alpha1.ApplyOnCreate && apply != v1alpha1.ApplyAlways {
		problems = append(problems, fmt.Errorf("apply: %q is of a newer version of the server", apply))
	}
	for _, given := range settings(ud.Spec) {
		if err := checkFormat(given.Path, given.Value); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", given.Path, err))
		}
	}
	for _, a := range ud.Spec.Attributes {
		if path, _, err := attributeDefault(users, a.Path, a.Value); err == nil {
			if err := checkFormat(path.String(), a.Value); err != nil {
				problems = append(problems, fmt.Errorf("attributes: %s: %w", path, err))
			}
		}
	}
	compiled, err := compile(ud, users)
	if err := errors.Join(append(problems, err)...); err != nil {
		return nil, fmt.Errorf("UserDefaults %s: %w", ud.Name, err)
	}
	return compiled, nil
}

// unlisted returns an error for each name that is not in the tenant's catalog.
func unlisted(spec v1alpha1.UserDefaultsSpec, catalog v1alpha1.Catalog) (problems []error) {
	for _, company := range spec.Companies {
		if !slices.Contains(catalog.Companies, company) {
			problems = append(problems, fmt.Errorf("company %q is not in spec.catalog.companies of the tenant", company))
		}
	}
	for _, role := range spec.Roles {
		if !slices.Contains(catalog.Roles, role) {
			problems = append(problems, fmt.Errorf("role %q is not in spec.catalog.roles of the tenant", role))
		}
	}
	return problems
}

// compile makes ready what a UserDefaults says. The error is about what users cannot be asked for or given.
func compile(ud *v1alpha1.UserDefaults, users *schema.ResourceType) (*Defaults, error) {
	matches, noCondition := condition(users, ud.Spec)
	values, noValues := defaultValues(users, ud.Name, ud.Spec)
	if err := errors.Join(noCondition, noValues); err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(ud.Spec)
	if err != nil {
		return nil, err
	}
	given, err := json.Marshal(values) // which are of other types where the schemas have changed
	if err != nil {
		return nil, err
	}
	return &Defaults{
		Name: ud.Name, Generation: ud.Generation, priority: ud.Spec.Priority,
		always: ud.Spec.Apply == v1alpha1.ApplyAlways, matches: matches, values: values,
		digest: digest(ud.Name, string(encoded), string(given)),
	}, nil
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// settings are the attributes that have a field of their own, those that are given.
func settings(spec v1alpha1.UserDefaultsSpec) []v1alpha1.AttributeDefault {
	return slices.DeleteFunc([]v1alpha1.AttributeDefault{
		{Path: "locale", Value: spec.Locale}, {Path: "preferredLanguage", Value: spec.PreferredLanguage}, {Path: "timezone", Value: spec.Timezone},
	}, func(a v1alpha1.AttributeDefault) bool { return a.Value == "" })
}

// checkFormat returns why a text cannot be the value of an attribute of which RFC 7643 section 4.1.1 says how it looks, or nil. A
// client's value is kept as it was sent, and a default is not: a mistake in it would reach every user.
func checkFormat(path, value string) error {
	switch path {
	case "locale":
		return locale.CheckTag(value)
	case "preferredLanguage":
		return locale.CheckLanguages(value)
	case "timezone":
		return locale.CheckZone(value)
	}
	return nil
}

// condition is the filter that a user must match: configurationFilter, filter, both, or nil for everybody.
func condition(users *schema.ResourceType, spec v1alpha1.UserDefaultsSpec) (filter.Filter, error) {
	var terms []filter.Filter
	if spec.ConfigurationFilter != "" {
		path, err := users.Path(schema.MediusUser + ":configurationFilter")
		if err != nil {
			return nil, err
		}
		terms = append(terms, filter.Compare{
			Path: path, Op: filter.Eq, Value: filter.Value{Kind: filter.String, Text: spec.ConfigurationFilter},
		})
	}
	if spec.Filter != "" {
		parsed, err := filter.Parse(users, spec.Filter)
		if err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
		terms = append(terms, parsed)
	}
	switch len(terms) {
	case 0:
		return nil, nil
	case 1:
		return terms[0], nil
	default:
		return filter.And{Terms: terms}, nil
	}
}

// defaultValues are the attributes that the defaults give, in canonical form.
func defaultValues(users *schema.ResourceType, name string, spec v1alpha1.UserDefaultsSpec) (schema.Object, error) {
	values := schema.Object{}
	if len(spec.Roles) > 0 {
		roles := make([]any, len(spec.Roles))
		for i, role := range spec.Roles {
			roles[i] = schema.Object{"value": role}
		}
		values["roles"] = roles
	}
	for _, given := range settings(spec) {
		values[given.Path] = given.Value
	}
	var problems []error
	for _, a := range spec.Attributes {
		path, value, err := attributeDefault(users, a.Path, a.Value)
		if err != nil {
			problems = append(problems, fmt.Errorf("attributes: %w", err))
			continue
		}
		place(values, path.String(), value)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	stamp := schema.Object{"defaults": name, defaulted: gives(name, values)}
	if len(spec.Companies) > 0 {
		stamp[companies] = strings2any(spec.Companies)
	}
	values[schema.TenantryUser] = stamp
	return values, nil
}

// CheckAttribute returns an error that says why a default cannot be given to the attribute at path, nil if it can.
func CheckAttribute(users *schema.ResourceType, path, value string) error {
	resolved, _, err := attributeDefault(users, path, value)
	if err != nil {
		return err
	}
	return checkFormat(resolved.String(), value)
}

func attributeDefault(users *schema.ResourceType, name, value string) (schema.Path, any, error) {
	path, err := users.Path(name)
	if err != nil {
		return schema.Path{}, nil, err
	}
	leaf := path.Leaf()
	if err := checkGiven(path); err != nil {
		return schema.Path{}, nil, err
	}
	if path.Attribute.Mutability != schema.ReadWrite || leaf.Mutability != schema.ReadWrite {
		return schema.Path{}, nil, fmt.Errorf("%s is not writable", path)
	}
	// Normalize is what a client's value must pass too, so a default can never be what a client could not have sent.
	var typed any = value
	switch leaf.Type {
	case schema.TypeInteger, schema.TypeDecimal:
		typed = json.Number(value)
	case schema.TypeBoolean, schema.TypeString, schema.TypeDateTime, schema.TypeReference, schema.TypeBinary, schema.TypeComplex:
	}
	probe := schema.Object{"userName": "probe"} // which every user must have
	place(probe, path.String(), typed)
	normal, _, err := users.Normalize(probe)
	if err != nil {
		return schema.Path{}, nil, err
	}
	found := path.Values(normal)
	if len(found) != 1 {
		return schema.Path{}, nil, fmt.Errorf("%s does not take this value", path)
	}
	return path, found[0], nil
}

// checkGiven returns an error where a single value at path is not for defaults to give, whoever may write it.
func checkGiven(path schema.Path) error {
	leaf := path.Leaf()
	switch {
	case path.Schema == nil || path.Schema.ID == schema.TenantryUser || path.String() == "userName" || path.String() == "active":
		return fmt.Errorf("%s cannot be given a default: it is the client's or the server's", path)
	case path.Attribute.MultiValued || leaf.MultiValued:
		return fmt.Errorf("%s has several values; only attributes with one value can be given here", path)
	case leaf.Type == schema.TypeComplex:
		return fmt.Errorf("%s is complex; name one of its sub-attributes", path)
	}
	return nil
}

// laid returns the client's document with the defaults laid under it: a value of the client's always wins, and so does none
// where the client cleared the attribute. What the server says of the defaults themselves is the defaults'. Neither argument
// is modified.
func laid(defaults, document schema.Object) schema.Object {
	if defaults == nil {
		return document
	}
	values := defaults
	if gone := listed(document, cleared); len(gone) > 0 {
		values = part(defaults, func(path string) bool { return !slices.Contains(gone, path) })
	}
	out := under(values, document)
	if own, ok := defaults[schema.TenantryUser].(schema.Object); ok {
		out[schema.TenantryUser] = attributed(own, document)
	}
	return out
}

func under(defaults, document schema.Object) schema.Object {
	out := make(schema.Object, len(document)+len(defaults))
	maps.Copy(out, document)
	for name, value := range defaults {
		has, ok := out[name]
		if !ok {
			out[name] = value
			continue
		}
		theirs, isObject := has.(schema.Object)
		ours, alsoObject := value.(schema.Object)
		if isObject && alsoObject {
			out[name] = under(ours, theirs)
		}
	}
	return out
}

// rules are the defaults of a tenant at one time, in the order in which they are tried.
type rules struct {
	ordered []*Defaults
	digest  string
	paths   []string // canonical names of the attributes that any of them gives
	lasting []string // of those that any gives for as long as it matches
}

func newRules(ordered []*Defaults) *rules {
	digest := sha256.New()
	r := &rules{ordered: slices.Clone(ordered)}
	for _, d := range ordered {
		digest.Write([]byte(d.digest))
		r.paths = append(r.paths, paths(d.values)...)
		if d.always {
			r.lasting = append(r.lasting, paths(d.values)...)
		}
	}
	r.digest = hex.EncodeToString(digest.Sum(nil))
	for _, names := range []*[]string{&r.paths, &r.lasting} {
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
	return r
}

// known tells whether SetDefaults gave these rules. Before its settings are in force a server has none, and that is another thing than no
// defaults.
func (r *rules) known() bool { return r.digest != "" }

// same tells whether other rules do the same to every user; settings are read again and again. No rules are not the same as any.
func (r *rules) same(other *rules) bool { return r != nil && r.digest == other.digest }

// named returns the defaults of that name, nil for none.
func (r *rules) named(name string) *Defaults {
	if r == nil {
		return nil
	}
	for _, d := range r.ordered {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// first returns the first defaults that match the user as the client sent it, nil for none. before is which matched it when it was
// last written. A user who waits is arriving still.
func (r *rules) first(document schema.Object, before string, arriving bool) *Defaults {
	for _, d := range r.ordered {
		if d.held.concerns(d.Name, before, arriving) && (d.matches == nil || filter.Match(d.matches, document)) {
			return d
		}
	}
	return nil
}

// followed returns the values that follow a UserDefaults for a user with this document, nil for none. before is as for first, and carried
// what has followed it until now.
func (r *rules) followed(document schema.Object, before string, carried schema.Object) schema.Object {
	match := r.first(document, before, isWaiting(before))
	switch {
	case match == nil:
		return nil
	case match.held != nil:
		return carried
	case match.always:
		return match.values
	}
	return nil
}

// apply sets which defaults match and are carried, stamps document where the user is arriving, and returns the values
// that follow a UserDefaults, nil for none. The record has what matched the user before, and carried are the values that followed it.
func (r *rules) apply(rec *store.Record, document, carried schema.Object, arriving bool) (overlay schema.Object) {
	arriving = arriving || isWaiting(rec.Matched)
	match := r.first(document, rec.Matched, arriving)
	stamped, _ := document[schema.TenantryUser].(schema.Object)
	rec.Matched = ""
	rec.Defaults, _ = stamped["defaults"].(string)
	switch {
	case match == nil:
		return nil
	case match.held != nil && arriving:
		rec.Matched = awaits + match.Name
		return nil
	}
	rec.Matched = match.Name
	switch {
	case match.held != nil:
		if carried != nil {
			rec.Defaults = match.Name
		}
		return carried
	case match.always:
		rec.Defaults = match.Name
		return match.values
	case arriving:
		rec.Defaults = match.Name
		maps.Copy(document, laid(match.values, document))
	}
	return nil
}

func strings2any(in []string) []any {
	out := make([]any, len(in))
	for i, s := range in {
		out[i] = s
	}
	return out
}
