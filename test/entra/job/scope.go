package job

import (
	"fmt"
	"regexp"

	"github.com/tenantry/tenantry/test/entra/company"
)

// Scope says who is provisioned. The zero value is everybody.
type Scope struct {
	// Assigned limits the job to these objectIds of users and groups, and to the direct members of these groups:
	// Entra does not look into nested groups. Nil is "sync all"; an empty list is nobody.
	Assigned []string
	// UserFilter and GroupFilter are scoping filters: all clauses must hold.
	UserFilter, GroupFilter []Clause
}

// Operator is a comparison of a scoping filter.
type Operator string

// The operators that are known of those that the portal offers.
const (
	Equals     Operator = "EQUALS"
	NotEquals  Operator = "NOT EQUALS"
	IsNull     Operator = "IS NULL"
	IsNotNull  Operator = "IS NOT NULL"
	RegexMatch Operator = "REGEX MATCH"
)

// Clause compares a source attribute with a value. Comparisons mind case, as the portal says.
type Clause struct {
	Attribute string
	Operator  Operator
	Value     string
}

// InScope is the result of a scope: objectIds of users and groups. Whether a user is enabled is another question.
type InScope struct {
	Users, Groups map[string]bool
}

func (s Scope) check() error {
	for _, c := range append(append([]Clause(nil), s.UserFilter...), s.GroupFilter...) {
		switch c.Operator {
		case Equals, NotEquals, IsNull, IsNotNull:
		case RegexMatch:
			if _, err := regexp.Compile(c.Value); err != nil {
				return fmt.Errorf("%s: %w", c.Attribute, err)
			}
		default:
			return fmt.Errorf("%s: operator %q is not known", c.Attribute, c.Operator)
		}
	}
	return nil
}

// Of evaluates the scope for a company.
func (s Scope) Of(c *company.Company) InScope {
	in := InScope{Users: map[string]bool{}, Groups: map[string]bool{}}
	assigned := map[string]bool{}
	for _, id := range s.Assigned {
		assigned[id] = true
	}
	if s.Assigned != nil {
		for _, g := range c.Groups {
			if assigned[g.ObjectID] {
				in.Groups[g.ObjectID] = true
				for _, m := range g.Members {
					in.Users[m] = true
				}
			}
		}
	}
	users := map[string]bool{}
	for _, u := range c.Users {
		if (s.Assigned == nil || assigned[u.ObjectID] || in.Users[u.ObjectID]) && holds(s.UserFilter, u.Attribute) {
			users[u.ObjectID] = true
		}
	}
	in.Users = users // without the nested groups among the members
	for _, g := range c.Groups {
		in.Groups[g.ObjectID] = (s.Assigned == nil || in.Groups[g.ObjectID]) && holds(s.GroupFilter, g.Attribute)
	}
	return in
}

func holds(clauses []Clause, attribute func(string) string) bool {
	for _, c := range clauses {
		v := attribute(c.Attribute)
		ok := false
		switch c.Operator {
		case Equals:
			ok = v == c.Value
		case NotEquals:
			ok = v != c.Value
		case IsNull:
			ok = v == ""
		case IsNotNull:
			ok = v != ""
		case RegexMatch:
			ok, _ = regexp.MatchString(c.Value, v)
		}
		if !ok {
			return false
		}
	}
	return true
}
