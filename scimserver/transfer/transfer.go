// Package transfer writes a whole directory as JSON Lines, reads it back, also into another engine, and moves it at once.
//
// The first line names the format, the last one counts what stands between and has the SHA-256 of all lines before it, so
// that a file that was cut off or damaged is noticed. In between each line is one user, one group, some members of one
// group or one entry of the provisioning log, in this order. Ids, versions, times and the stamps of UserDefaults stay what
// they are; secrets, and what the server remembers for itself, are no part of it.
package transfer

import (
	"encoding/json"
	"time"

	"github.com/tenantry/tenantry/scimserver/store"
)

// Format is the version of the format that this package writes, and the only one it reads.
const Format = 1

// Counts are how much of each there is.
type Counts struct {
	Users       int64 `json:"users"`
	Groups      int64 `json:"groups"`
	Memberships int64 `json:"memberships"`
	Entries     int64 `json:"entries"`
}

// line is one line; exactly one of its fields is there.
type line struct {
	Header  *header   `json:"directory,omitempty"`
	User    *resource `json:"user,omitempty"`
	Group   *resource `json:"group,omitempty"`
	Members *members  `json:"members,omitempty"`
	Entry   *Entry    `json:"entry,omitempty"`
	End     *end      `json:"end,omitempty"`
}

type header struct {
	Format int `json:"format"`
	// Schemas are the declared schemas as store.MetaSchemas has them, which stored values are of.
	Schemas string `json:"schemas,omitempty"`
	// Defaults are the last good versions of UserDefaults as store.MetaDefaults has them, whose values users carry.
	Defaults string `json:"defaults,omitempty"`
}

// resource is a store.Record without what follows from its document.
type resource struct {
	ID       string    `json:"id"`
	Version  int64     `json:"version"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
	// Deactivated is since when a user is inactive, where that is not since Modified. Older versions wrote no such time.
	Deactivated time.Time `json:"deactivated,omitzero"`

	Defaults string          `json:"defaults,omitempty"`
	Matched  string          `json:"matched,omitempty"`
	Document json.RawMessage `json:"document"`
	Overlay  json.RawMessage `json:"overlay,omitempty"`
}

// members are some of a group's.
type members struct {
	Group  string   `json:"group"`
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

type end struct {
	Counts
	SHA256 string `json:"sha256"`
}

// Entry is one entry of the provisioning log as JSON.
type Entry struct {
	Sequence     int64     `json:"sequence"`
	Time         time.Time `json:"time"`
	Client       string    `json:"client,omitempty"`
	RequestID    string    `json:"requestId,omitempty"`
	ResourceType string    `json:"resourceType"`
	ResourceID   string    `json:"resourceId,omitempty"`
	Operation    string    `json:"operation"`
	Attributes   []string  `json:"attributes,omitempty"`
	// Members is missing where no member of a group changed, and where more than store.MaxMemberChanges did, or a server of an older version
	// wrote the entry. Then "members" is among the attributes.
	Members  *MemberChanges `json:"members,omitempty"`
	Defaults string         `json:"defaults,omitempty"`
	Outcome  string         `json:"outcome"`
	Count    int64          `json:"count"`
}

// NewEntry returns an entry of a store as JSON has it.
func NewEntry(e *store.Entry) Entry {
	return Entry{
		Sequence: e.Sequence, Time: e.Time.UTC(), Client: e.Client, RequestID: e.RequestID,
		ResourceType: e.Kind.String(), ResourceID: e.ResourceID, Operation: e.Operation,
		Attributes: e.Attributes, Members: newMemberChanges(e.Members), Defaults: e.Defaults, Outcome: e.Outcome, Count: e.Count,
	}
}

// ParseKind returns the kind that has a name, and false for a name that none has.
func ParseKind(name string) (store.Kind, bool) {
	for _, kind := range []store.Kind{store.User, store.Group} {
		if kind.String() == name {
			return kind, true
		}
	}
	return 0, false
}
