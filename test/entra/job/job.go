// Package job is the configuration of one provisioning job, as an administrator makes it in Entra's portal: where to,
// with which token, who is in scope, which attribute goes where. It says what the server should hold for a user; how
// that gets there is not its concern.
package job

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// Job is one provisioning job. The zero value of a field takes the default that it names; see [Job.Complete].
type Job struct {
	// TenantURL and SecretToken as they are pasted into the portal. A flag in the URL decides the dialect.
	TenantURL   string
	SecretToken string
	// Dialect is how PATCH is written; default Legacy, or what the Tenant URL's flag says.
	Dialect wire.Dialect

	// UserMappings and GroupMappings; default those of [UserMappings] and [GroupMappings].
	UserMappings, GroupMappings []Mapping
	// Scope; the zero value is "sync all users and groups".
	Scope Scope
	// SkipOutOfScopeDeletions leaves users alone who go out of scope by assignment or filter.
	SkipOutOfScopeDeletions bool
	// AccidentalDeletionThreshold is how many disables and deletes one cycle may hold before the job stops and asks;
	// default 0 is no threshold.
	AccidentalDeletionThreshold int

	// Concurrency is how many requests are under way at once; default 5. Microsoft does not publish its own number.
	Concurrency int
	// RequestsPerSecond bounds the pace; default 0 is no bound.
	RequestsPerSecond float64
	// MembersPerRequest is how many members one PATCH adds or removes; default 1, as is mostly seen.
	MembersPerRequest int
	// ReferenceChecks asks before every reference whether it is there already, as older documentation describes.
	ReferenceChecks bool
}

// Complete returns the job with its defaults filled in and its Tenant URL normalised, or an error that says what the
// administrator has to change.
func (j Job) Complete() (Job, error) {
	base, flagged, err := wire.ParseTenantURL(j.TenantURL)
	if err != nil {
		return Job{}, err
	}
	j.TenantURL = base
	if flagged != "" {
		j.Dialect = flagged
	}
	if j.Dialect == "" {
		j.Dialect = wire.Legacy
	}
	if j.Dialect != wire.Legacy && j.Dialect != wire.Flagged {
		return Job{}, fmt.Errorf("dialect %q: it is %q or %q", j.Dialect, wire.Legacy, wire.Flagged)
	}
	if j.SecretToken = strings.TrimSpace(j.SecretToken); j.SecretToken == "" {
		return Job{}, errors.New("the Secret Token is empty")
	}
	if j.UserMappings == nil {
		j.UserMappings = UserMappings()
	}
	if j.GroupMappings == nil {
		j.GroupMappings = GroupMappings()
	}
	for object, mappings := range map[string][]Mapping{"user": j.UserMappings, "group": j.GroupMappings} {
		if err := checkMappings(mappings); err != nil {
			return Job{}, fmt.Errorf("%s mappings: %w", object, err)
		}
	}
	if err := j.Scope.check(); err != nil {
		return Job{}, fmt.Errorf("scope: %w", err)
	}
	j.Concurrency = max(j.Concurrency, 0)
	if j.Concurrency == 0 {
		j.Concurrency = 5
	}
	if j.MembersPerRequest < 1 {
		j.MembersPerRequest = 1
	}
	return j, nil
}

// UserAttributes is what the server should hold for a user, references aside, in the order of the mappings. Attributes
// without a value are left out. inactive is Entra's IsSoftDeleted: deleted, disabled or out of scope.
func (j Job) UserAttributes(u *company.User, inactive bool) []wire.Attribute {
	return values(j.UserMappings, u.Attribute, inactive)
}

// GroupAttributes is what the server should hold for a group, members aside.
func (j Job) GroupAttributes(g *company.Group) []wire.Attribute {
	return values(j.GroupMappings, g.Attribute, false)
}

// ManagerPath is the target of the mapping that carries the manager, or "" if there is none.
func (j Job) ManagerPath() string {
	i := slices.IndexFunc(j.UserMappings, func(m Mapping) bool { return m.kind == reference })
	if i < 0 {
		return ""
	}
	return j.UserMappings[i].Target
}

// ActivePath is the target of the mapping that carries IsSoftDeleted, or "" if there is none. Without one, users who
// should be disabled are deleted.
func (j Job) ActivePath() string {
	i := slices.IndexFunc(j.UserMappings, func(m Mapping) bool { return m.kind == isSoftDeleted })
	if i < 0 {
		return ""
	}
	return j.UserMappings[i].Target
}

// MapsMembers tells whether memberships are provisioned.
func (j Job) MapsMembers() bool {
	return slices.ContainsFunc(j.GroupMappings, func(m Mapping) bool { return m.kind == reference })
}

// Matching returns the attributes by which an object is looked up, in the order of their precedence. The first that
// finds something ends the search.
func Matching(mappings []Mapping, attributes []wire.Attribute) []wire.Attribute {
	var order []Mapping
	for _, m := range mappings {
		if m.Matching > 0 {
			order = append(order, m)
		}
	}
	slices.SortStableFunc(order, func(a, b Mapping) int { return a.Matching - b.Matching })
	var out []wire.Attribute
	for _, m := range order {
		for _, a := range attributes {
			if _, isString := a.Value.(string); isString && a.Path == m.Target {
				out = append(out, a)
			}
		}
	}
	return out
}

// CreateOnly returns the targets that are sent when an object is created and never again.
func CreateOnly(mappings []Mapping) map[string]bool {
	out := map[string]bool{}
	for _, m := range mappings {
		if m.CreateOnly {
			out[m.Target] = true
		}
	}
	return out
}
