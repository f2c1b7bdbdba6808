package directory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// checkStamp checks what the server says of a user (schema.TenantryUser), as a file has it: in the user's document, or laid under it
// with the values that follow a UserDefaults. The error names the attribute and what would be right.
func (d *Directory) checkStamp(value any, inDocument bool) error {
	of := func(name string) string { return schema.TenantryUser + ":" + name }
	stamp, isObject := value.(schema.Object)
	if !isObject && value != nil {
		return fmt.Errorf("%s accepts an object", schema.TenantryUser)
	}
	known := []string{"defaults", companies, defaulted, cleared, patched}
	for name := range stamp {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s accepts only %s", schema.TenantryUser, strings.Join(known, ", "))
		}
	}
	named, isNamed := stamp["defaults"]
	_, hasCompanies := stamp[companies]
	switch {
	case (isNamed || !inDocument) && !isDefaultsName(named):
		return fmt.Errorf("%s accepts the name of a UserDefaults", of("defaults"))
	case len(stamp) == 0:
		return fmt.Errorf("%s must be left out where it says nothing", schema.TenantryUser)
	case hasCompanies && !isNamed:
		return fmt.Errorf("%s must be left out where no defaults gave them", of(companies))
	}
	for _, list := range []struct {
		name     string
		check    func(any) (key, detail string)
		isClient bool // whether it tells of what the client did, and is absent where that is nothing
	}{{companies, d.checkCompany, false}, {defaulted, d.checkDefaulted, false}, {cleared, d.checkGivable, true}, {patched, d.checkGivable, true}} {
		value, there := stamp[list.name]
		if !there {
			continue
		}
		if err := checkList(of(list.name), value, list.check); err != nil {
			return err
		}
		switch elements, _ := value.([]any); {
		case list.isClient && !inDocument:
			return fmt.Errorf("%s is about the client and stands in the document", of(list.name))
		case list.isClient && len(elements) == 0:
			return fmt.Errorf("%s must be left out where it is empty", of(list.name))
		}
	}
	return nil
}

// companies is the attribute of the tenantry extension that lists the companies that defaults gave a user.
const companies = "companies"

// checkList checks each element of a list, which has none twice. check returns by what it is told from others, and what is wrong
// with it, behind its place in the list.
func checkList(name string, value any, check func(element any) (key, detail string)) error {
	list, isArray := value.([]any)
	if !isArray {
		return fmt.Errorf("%s accepts an array", name)
	}
	seen := map[string]bool{}
	for i, element := range list {
		key, detail := check(element)
		switch {
		case detail != "":
			return fmt.Errorf("%s[%d]%s", name, i, detail)
		case seen[key]:
			return fmt.Errorf("%s[%d] stands there twice", name, i)
		}
		seen[key] = true
	}
	return nil
}

func (d *Directory) checkCompany(element any) (company, detail string) {
	company, _ = element.(string)
	if company == "" || d.catalog != nil && !slices.Contains(d.catalog.Companies, company) {
		return "", " accepts a name of spec.catalog.companies; add the one that the file has, or take it out of the file"
	}
	return company, ""
}

func (d *Directory) checkDefaulted(element any) (path, detail string) {
	object, _ := element.(schema.Object)
	path, named := pathOf(element), 1
	by, given := object["defaults"]
	if given {
		named++
	}
	switch {
	case object["path"] == nil || len(object) != named:
		return "", " accepts an object of path and defaults"
	case !canBeGiven(d.restored(store.User), path):
		return "", ".path accepts an attribute that defaults can give"
	case given && !isDefaultsName(by):
		return "", ".defaults accepts the name of a UserDefaults"
	}
	return path, ""
}

func (d *Directory) checkGivable(element any) (path, detail string) {
	if path, _ = element.(string); !canBeGiven(d.restored(store.User), path) {
		return "", " accepts an attribute that defaults can give"
	}
	return path, ""
}

// canBeGiven tells whether defaults can have given a value to the attribute of that canonical name.
func canBeGiven(users *schema.ResourceType, name string) bool {
	path, err := users.Path(name)
	if err != nil || path.String() != name {
		return false
	}
	return name == "roles" || checkGiven(path) == nil && !path.ReadOnly() && path.Attribute.Mutability != schema.WriteOnly
}

// isDefaultsName tells whether a value can be the name of a UserDefaults, which nothing but equality is asked of here.
func isDefaultsName(value any) bool {
	const longest = 253 // of an object of Kubernetes
	name, _ := value.(string)
	return name != "" && len(name) <= longest && isLine(name)
}
