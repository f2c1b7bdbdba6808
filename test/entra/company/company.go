// Package company is a directory as Microsoft Entra ID holds one: users with their lifecycle, groups with their
// members, and the passing of time. It knows nothing of SCIM or of any server.
//
// [Generate] invents a company of any size from a seed, [Life.Period] lets one period pass in it, and [Read] takes one
// from a JSON file. The same seed gives the same company and the same life, on every machine.
package company

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Retention is how long a soft-deleted user stays in the recycle bin before it is purged.
const Retention = 30 * 24 * time.Hour

// Company is the directory of one Entra tenant.
type Company struct {
	Name     string   `json:"name"`
	TenantID string   `json:"tenantId,omitempty"`
	Domains  []string `json:"domains,omitempty"`
	// Users in the order in which they joined, soft-deleted ones included, purged ones not.
	Users  []*User  `json:"users"`
	Groups []*Group `json:"groups"`
	// RetiredNames are the mail nicknames that people once had. A later joiner does not get one of them.
	RetiredNames []string `json:"retiredNames,omitempty"`
	// Period counts the periods that Life let pass.
	Period int `json:"period,omitempty"`
}

// User is one account. The names of the fields are those of Microsoft Graph.
type User struct {
	ObjectID          string `json:"objectId"`
	UserPrincipalName string `json:"userPrincipalName"`
	MailNickname      string `json:"mailNickname,omitempty"`
	DisplayName       string `json:"displayName,omitempty"`
	GivenName         string `json:"givenName,omitempty"`
	Surname           string `json:"surname,omitempty"`
	Mail              string `json:"mail,omitempty"`
	Department        string `json:"department,omitempty"`
	JobTitle          string `json:"jobTitle,omitempty"`
	// Manager is the objectId of another user, or empty.
	Manager        string `json:"manager,omitempty"`
	AccountEnabled bool   `json:"accountEnabled"`
	// DeletedAt is when the user was moved to the recycle bin; zero for a user that is not in it.
	DeletedAt time.Time `json:"deletedDateTime,omitzero"`
	// Extension holds further attributes by name: directory extensions, and whatever a mapping reads.
	Extension map[string]string `json:"extension,omitempty"`
}

// Group is one security group.
type Group struct {
	ObjectID     string `json:"objectId"`
	DisplayName  string `json:"displayName"`
	MailNickname string `json:"mailNickname,omitempty"`
	// Members are the objectIds of users and of nested groups. A soft-deleted user stays among them until it is purged,
	// as Entra gives a restored user its memberships back.
	Members []string `json:"members,omitempty"`
}

// SoftDeleted tells whether the user is in the recycle bin.
func (u *User) SoftDeleted() bool { return !u.DeletedAt.IsZero() }

// Attribute returns the value of a source attribute by the name that Entra's mapping page shows, such as
// "userPrincipalName" or the name of an extension attribute. What is not set is the empty string.
func (u *User) Attribute(name string) string {
	if p := u.field(name); p != nil {
		return *p
	}
	switch strings.ToLower(name) {
	case "objectid":
		return u.ObjectID
	case "manager":
		return u.Manager
	case "accountenabled":
		if u.AccountEnabled {
			return "True"
		}
		return "False"
	}
	return u.Extension[name]
}

// Set gives a source attribute a value: one of the standard string attributes, otherwise an extension attribute. The
// empty string clears it.
func (u *User) Set(name, value string) {
	if p := u.field(name); p != nil {
		*p = value
		return
	}
	if value == "" {
		delete(u.Extension, name)
		return
	}
	if u.Extension == nil {
		u.Extension = map[string]string{}
	}
	u.Extension[name] = value
}

func (u *User) field(name string) *string {
	switch strings.ToLower(name) {
	case "userprincipalname":
		return &u.UserPrincipalName
	case "mailnickname":
		return &u.MailNickname
	case "displayname":
		return &u.DisplayName
	case "givenname":
		return &u.GivenName
	case "surname":
		return &u.Surname
	case "mail":
		return &u.Mail
	case "department":
		return &u.Department
	case "jobtitle":
		return &u.JobTitle
	}
	return nil
}

// Attribute returns the value of a group's source attribute by name.
func (g *Group) Attribute(name string) string {
	switch strings.ToLower(name) {
	case "objectid":
		return g.ObjectID
	case "displayname":
		return g.DisplayName
	case "mailnickname":
		return g.MailNickname
	}
	return ""
}

// User returns the user with the objectId, or nil. It walks the list; use it for single questions.
func (c *Company) User(objectID string) *User {
	for _, u := range c.Users {
		if u.ObjectID == objectID {
			return u
		}
	}
	return nil
}

// Group returns the group with the objectId, or nil.
func (c *Company) Group(objectID string) *Group {
	for _, g := range c.Groups {
		if g.ObjectID == objectID {
			return g
		}
	}
	return nil
}

// Distribute gives each user one of the values for the attribute, in turn.
func (c *Company) Distribute(attribute string, values ...string) {
	if len(values) == 0 {
		return
	}
	for i, u := range c.Users {
		u.Set(attribute, values[i%len(values)])
	}
}

// Clone returns a copy that shares nothing with the original.
func (c *Company) Clone() *Company {
	out := *c
	out.Domains = slices.Clone(c.Domains)
	out.RetiredNames = slices.Clone(c.RetiredNames)
	out.Users = make([]*User, len(c.Users))
	for i, u := range c.Users {
		v := *u
		v.Extension = maps.Clone(u.Extension)
		out.Users[i] = &v
	}
	out.Groups = make([]*Group, len(c.Groups))
	for i, g := range c.Groups {
		v := *g
		v.Members = slices.Clone(g.Members)
		out.Groups[i] = &v
	}
	return &out
}

// Read takes a company from JSON and checks it: every object needs an objectId of its own, every user a
// userPrincipalName, and every reference has to lead somewhere. An unknown field is an error, so that a misspelt one is
// not silently ignored. Without domains, the first user's is the company's.
func Read(r io.Reader) (*Company, error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	var c Company
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("reading the company: %w", err)
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("reading the company: %w", err)
	}
	if len(c.Domains) == 0 {
		c.Domains = []string{c.domain()}
	}
	return &c, nil
}

// domain is that of the first user, where later joiners get their names.
func (c *Company) domain() string {
	for _, u := range c.Users {
		if _, domain, ok := strings.Cut(u.UserPrincipalName, "@"); ok && domain != "" {
			return domain
		}
	}
	return "contoso.test"
}

// Validate checks what [Read] promises.
func (c *Company) Validate() error {
	ids := map[string]string{}
	upns := map[string]bool{}
	for i, u := range c.Users {
		if u == nil {
			return fmt.Errorf("users[%d] is null", i)
		}
		switch upn := strings.ToLower(u.UserPrincipalName); {
		case u.ObjectID == "":
			return fmt.Errorf("users[%d] has no objectId", i)
		case ids[u.ObjectID] != "":
			return fmt.Errorf("users[%d]: objectId %s is already taken", i, u.ObjectID)
		case upn == "":
			return fmt.Errorf("users[%d] (%s) has no userPrincipalName", i, u.ObjectID)
		case upns[upn]:
			return fmt.Errorf("users[%d] (%s): its userPrincipalName is already taken", i, u.ObjectID)
		default:
			ids[u.ObjectID], upns[upn] = "user", true
		}
	}
	for i, g := range c.Groups {
		switch {
		case g == nil:
			return fmt.Errorf("groups[%d] is null", i)
		case g.ObjectID == "":
			return fmt.Errorf("groups[%d] has no objectId", i)
		case ids[g.ObjectID] != "":
			return fmt.Errorf("groups[%d]: objectId %s is already taken", i, g.ObjectID)
		case g.DisplayName == "":
			return fmt.Errorf("groups[%d] (%s) has no displayName", i, g.ObjectID)
		}
		ids[g.ObjectID] = "group"
	}
	for _, u := range c.Users {
		if u.Manager != "" && ids[u.Manager] != "user" {
			return fmt.Errorf("user %s: its manager %s is no user of the company", u.ObjectID, u.Manager)
		}
	}
	for _, g := range c.Groups {
		for _, m := range g.Members {
			if ids[m] == "" {
				return fmt.Errorf("group %s: its member %s is nobody of the company", g.ObjectID, m)
			}
		}
	}
	return nil
}
