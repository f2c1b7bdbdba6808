package job

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tenantry/tenantry/test/entra/wire"
)

// Mapping is one row of the attribute mapping page. It is made by [Direct], [Constant], [SwitchIsSoftDeleted] or
// [Reference], and refined by its fields.
type Mapping struct {
	// Target is the path at the server, such as `emails[type eq "work"].value`.
	Target string
	// Matching is the precedence at which objects are matched by this attribute, from 1; 0 for not at all.
	Matching int
	// CreateOnly applies the mapping when an object is created and not afterwards.
	CreateOnly bool
	// Default is sent where the source has no value.
	Default string

	kind   kind
	source string
}

type kind int

const (
	direct kind = iota
	constant
	isSoftDeleted
	reference
)

// Direct sends a source attribute as it is. From the userPrincipalName of a guest, "#EXT#" is taken out.
func Direct(source, target string) Mapping {
	return Mapping{kind: direct, source: source, Target: target}
}

// Constant sends the same value for everyone.
func Constant(value, target string) Mapping {
	return Mapping{kind: constant, source: value, Target: target}
}

// SwitchIsSoftDeleted is Switch([IsSoftDeleted], , "False", "True", "True", "False"), the expression of active.
func SwitchIsSoftDeleted(target string) Mapping {
	return Mapping{kind: isSoftDeleted, Target: target}
}

// Reference sends references to other objects: a user's manager, a group's members.
func Reference(source, target string) Mapping {
	return Mapping{kind: reference, source: source, Target: target}
}

// MediusFlowUserMappings is the attribute table of Microsoft's MediusFlow provisioning tutorial, name.displayName
// included, which RFC 7643 does not have.
func MediusFlowUserMappings() []Mapping {
	userName := Direct("userPrincipalName", "userName")
	userName.Matching = 1
	mappings := []Mapping{
		userName,
		Direct("mail", `emails[type eq "work"].value`),
		Direct("displayName", "name.displayName"),
		SwitchIsSoftDeleted("active"),
		Direct("givenName", "name.givenName"),
		Direct("surname", "name.familyName"),
		Direct("displayName", "name.formatted"),
		Direct("mailNickname", "externalId"),
		Reference("manager", wire.SchemaEnterpriseUser+":manager"),
	}
	for _, name := range []string{
		"configurationFilter", "identityProvider", "nameIdentifier",
		"customFieldText1", "customFieldText2", "customFieldText3", "customFieldText4", "customFieldText5",
	} {
		mappings = append(mappings, Direct(name, wire.SchemaMediusUser+":"+name))
	}
	return mappings
}

// UserMappings is the default: the tutorial's table, and displayName, title and department as every SCIM application
// of the portal starts with.
func UserMappings() []Mapping {
	return append(MediusFlowUserMappings(),
		Direct("displayName", "displayName"),
		Direct("jobTitle", "title"),
		Direct("department", wire.SchemaEnterpriseUser+":department"),
	)
}

// GroupMappings is the tutorial's table for groups, with externalID spelt as it is there.
func GroupMappings() []Mapping {
	displayName := Direct("displayName", "displayName")
	displayName.Matching = 1
	return []Mapping{displayName, Direct("objectId", "externalID"), Reference("members", "members")}
}

func values(mappings []Mapping, source func(string) string, inactive bool) []wire.Attribute {
	var out []wire.Attribute
	for _, m := range mappings {
		var value string
		switch m.kind {
		case reference:
			continue
		case isSoftDeleted:
			out = append(out, wire.Attribute{Path: m.Target, Value: !inactive})
			continue
		case constant:
			value = m.source
		default:
			value = source(m.source)
			if m.source == "userPrincipalName" {
				value = strings.ReplaceAll(value, "#EXT#", "")
			}
		}
		if value == "" {
			value = m.Default
		}
		if value != "" {
			out = append(out, wire.Attribute{Path: m.Target, Value: value})
		}
	}
	return out
}

func checkMappings(mappings []Mapping) error {
	seen := map[string]bool{}
	matching := false
	for _, m := range mappings {
		if _, err := wire.ParsePath(m.Target); err != nil {
			return err
		}
		key := strings.ToLower(m.Target)
		if seen[key] {
			return fmt.Errorf("%s is the target of two mappings", m.Target)
		}
		seen[key] = true
		if m.Matching > 0 && m.kind != direct && m.kind != constant {
			return fmt.Errorf("%s cannot match objects: its source is no string attribute", m.Target)
		}
		matching = matching || m.Matching > 0
	}
	if !matching {
		return errors.New("no attribute matches objects: give one of them precedence 1")
	}
	return nil
}
