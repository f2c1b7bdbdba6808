package schema

import (
	"encoding/json"
	"slices"
)

// Published returns the attributes that /Schemas lists. The core schemas also list externalId, which is a common
// attribute, because Entra looks there for every attribute that it maps.
func (s *Schema) Published() []*Attribute {
	attributes := s.Attributes
	if s.ID == CoreUser || s.ID == CoreGroup {
		common := slices.DeleteFunc(completed(common()), func(a *Attribute) bool { return a.Name != "externalId" })
		attributes = append(common, attributes...)
	}
	return listed(attributes)
}

// listed returns copies of the definitions without those that are Unlisted.
func listed(attributes []*Attribute) []*Attribute {
	out := make([]*Attribute, 0, len(attributes))
	for _, a := range attributes {
		if !a.Unlisted {
			c := *a
			c.SubAttributes = listed(a.SubAttributes)
			out = append(out, &c)
		}
	}
	return out
}

// MarshalJSON gives the definition as RFC 7643 section 7 wants it, with every characteristic spelled out.
func (a *Attribute) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name            string       `json:"name"`
		Type            Type         `json:"type"`
		SubAttributes   []*Attribute `json:"subAttributes,omitempty"`
		MultiValued     bool         `json:"multiValued"`
		Description     string       `json:"description"`
		Required        bool         `json:"required"`
		CanonicalValues []string     `json:"canonicalValues,omitempty"`
		CaseExact       bool         `json:"caseExact"`
		Mutability      Mutability   `json:"mutability"`
		Returned        Returned     `json:"returned"`
		Uniqueness      Uniqueness   `json:"uniqueness"`
		ReferenceTypes  []string     `json:"referenceTypes,omitempty"`
	}{
		a.Name, orDefault(a.Type, TypeString), a.SubAttributes, a.MultiValued, a.Description, a.Required,
		a.CanonicalValues, a.CaseExact, orDefault(a.Mutability, ReadWrite), orDefault(a.Returned, ReturnedDefault),
		orDefault(a.Uniqueness, UniquenessNone), a.ReferenceTypes,
	})
}
