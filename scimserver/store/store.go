// Package store is how one tenant's directory is kept: resources, memberships and the provisioning log as
// rows. It knows nothing of SCIM but the filter tree it is asked to evaluate. Every engine below this
// package passes storetest.Run.
package store

import (
	"context"
	"maps"
	"time"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/share"
)

// Kind tells users from groups. The numbers are stored: they never change.
type Kind uint8

// The resource types of a directory.
const (
	User  Kind = 1
	Group Kind = 2
)

// String is the name of the resource type (RFC 7643 section 6).
func (k Kind) String() string {
	switch k {
	case User:
		return "User"
	case Group:
		return "Group"
	default:
		return "unknown kind"
	}
}

// MaxKey is the greatest length in bytes of a Record's Key and ExternalID: what every engine can keep in an index.
const MaxKey = 2048

// Record is one resource as the engine keeps it.
type Record struct {
	Kind Kind
	ID   string // a UUIDv7 in its canonical, lower-case form; lists are in the order of ids

	// Key is schema.FoldName of a user's userName or a group's displayName. No two users have one key, and two groups only where
	// both have an ExternalID and these differ. Resources that had names of one key before an engine held to this keep them, and
	// each may be replaced as long as its key stays: they are ambiguous (see Reader.Ambiguous).
	Key        string
	ExternalID string
	Active     bool
	Version    int64     // 1 when created, one more with every change
	Created    time.Time // kept to the microsecond, in UTC
	Modified   time.Time
	// Deactivated is since when a resource is not Active. Where the zero time was written with an inactive one, or nothing by
	// a server that does not know of it, Modified is read, which is never too early. Of an active one the zero time is read,
	// whatever was written, so that who becomes inactive is so since that change.
	Deactivated time.Time

	Defaults string       // name of the UserDefaults whose values it carries, "" for none
	Matched  string       // the first UserDefaults that matches it now, by its name, or that it waits for; "" for none
	Document []byte       // the resource as JSON; what it means is the caller's business
	Overlay  []byte       // JSON of the values that follow a UserDefaults, nil for none
	Index    []schema.Key // what filters look up; written, never read back

	// Memberships is only there when Query.Match is asked: "1" or "0" for each term of the filter that is about
	// memberships, in their order. Decided reads it.
	Memberships string

	// SortKey is read with a sorted page: the key by which the record has its place there, nil for none. The record may have got another
	// since.
	SortKey *string

	// Ungrouped says that no group had the resource as a direct member when it was read. Only a look-up of one resource tells; false
	// means that nobody looked, or that one has it.
	Ungrouped bool
}

// Decided returns the filter of the query that found r, with what the engine knows of its memberships in place of the terms
// about them.
func (r *Record) Decided(f filter.Filter) filter.Filter {
	if r.Memberships == "" {
		return f
	}
	known := r.Memberships
	return filter.Rewrite(f, func(term filter.Filter) filter.Filter {
		if !filter.AboutRows(term) || known == "" {
			return term
		}
		holds := known[0] == '1'
		known = known[1:]
		return filter.Constant(holds)
	})
}

// Member is one row of a group's members.
type Member struct {
	ID   string
	Kind Kind
}

// Membership is one row of some group's members.
type Membership struct {
	Group string
	Member
}

// Link is one row of some group's members with its ids in binary form: 33 bytes, so that many thousands of them are no burden.
type Link struct {
	Group, Member [16]byte
	// Kind of the member; MembersOf alone tells it.
	Kind Kind
}

// Query asks for the resources of one kind that match a filter, in the order of their ids or of Sort.
type Query struct {
	Kind   Kind
	Filter filter.Filter // nil for all
	Sort   *Sort         // nil for the order of ids

	// Match decides one candidate exactly. It is called where the engine does not decide Filter by itself, on candidates
	// only; without it such a query is an error. It must not use the store, which may be reading meanwhile: what the filter
	// asks of memberships, every engine decides, and Record.Decided has it.
	Match func(*Record) (bool, error)

	// Location is what stands before the id in the URL of a resource of a kind, for filters on meta.location and $ref. Nil
	// where the URL is not known: then these have no value.
	Location func(Kind) string

	// Client is for whom a query is done that may look at many resources; the zero value for the server itself.
	Client share.Client

	Offset int
	Limit  int // 0 only counts

	// Bytes, unless it is 0, ends the page early: behind the record with which the records of the page have so many bytes (Record.Size).
	// A walk goes on from that record. Without it a page takes whatever memory its records need.
	Bytes int

	// After makes this a step of a walk: only ids greater than it, Offset not counted, and no Total. A walk
	// begins at Start, which sorts before every id, and goes on from the last id it was given until a step
	// returns fewer than Limit. With Sort, it is the id of the last record, and Sort.After is that record's key.
	After string
}

// Sort orders an answer by an attribute, ascending or in the exact reverse of that.
//
// In ascending order come first the records that have a key, in the order of the keys' bytes, then those without; records
// that are equal in this are in the order of their ids.
type Sort struct {
	Path       schema.Path
	Descending bool

	// Key is a record's key; ok is false for a record without one. An engine need not call it where it has the keys
	// itself: they are the record's ID, Key and ExternalID for the attributes that these are the values of, Created and
	// Modified in TimeKey's form for meta.created and meta.lastModified, and for other indexed attributes what Path.SortKey
	// gives. It must not use the store.
	Key func(*Record) (key string, ok bool, err error)

	// After is the key of the record that a walk goes on after; nil if it has none, or the walk begins.
	After *string
}

// TimeKey is the key of a time in a Sort.
func TimeKey(t time.Time) string { return t.UTC().Format(timeKey) }

// Later is when a resource is modified that was modified before: now, or a millisecond after that. So the time of a resource goes on with
// its version, whatever the clocks of several servers say, and whoever of them waited longer.
func Later(before, now time.Time) time.Time {
	if least := before.Truncate(time.Millisecond).Add(time.Millisecond); now.Before(least) {
		return least
	}
	return now
}

// ParseTimeKey reads what TimeKey wrote.
func ParseTimeKey(key string) (time.Time, bool) {
	t, err := time.Parse(timeKey, key)
	return t, err == nil
}

const timeKey = "2006-01-02T15:04:05.000000000Z"

// MetaSchemas is the key of Meta under which a directory keeps its declared schemas. They belong to its content: stored
// values are of these definitions.
const MetaSchemas = "schemas"

// MetaDefaults is the key of Meta under which a directory keeps of each UserDefaults the last version that it could apply. They belong to its
// content: users carry their values.
const MetaDefaults = "defaults-good"

// MetaOwner is the key of Meta under which an engine keeps the mark that says whose the directory is, and MetaOwnerSeen that of when its
// holder renewed its hold, where several servers can open one directory: see package owner.
const (
	MetaOwner     = "owner"
	MetaOwnerSeen = "owner-seen"
)

// Start is the After of a walk's first step.
const Start = "0"

// Page is the answer to a Query: the records asked for and how many match in all.
type Page struct {
	Records []Record
	Total   int
	// Wide says that the engine may have looked at many resources in order to answer. It is there with an error, too.
	Wide bool
	// More says that Query.Bytes has ended the page; there may be more.
	More bool
}

// Entry is one row of the provisioning log. It never holds a value of an attribute.
type Entry struct {
	Sequence   int64 // given by the engine, increasing; a reader goes on from the last it saw
	Time       time.Time
	Client     string
	RequestID  string
	Kind       Kind
	ResourceID string
	Operation  string
	Attributes []string // names of what changed, or in a failure of what was wrong
	// Members are the members of a group that the change added and removed, in the order of their ids, at most MaxMemberChanges. It is nil
	// where none changed, and where more did, or a server that does not list them wrote the entry. Then Attributes says that they changed.
	Members  []MemberChange
	Defaults string // name of the UserDefaults that applied, "" for none
	Outcome  string
	Count    int64 // how many requests the row stands for: 1, or more failed ones that were alike; 0 is kept as 1
}

// Retention says which entries of the provisioning log are kept: all that meet each of its conditions.
type Retention struct {
	// Since is the time of the oldest. The one before that is kept, too: somebody who read it may go on from there.
	Since time.Time
	// Entries is how many there may be by their sequence numbers.
	Entries int
	// Long is how many there may be with more than LongMembers members. Where there are more, what is older than those goes, too.
	Long int
}

// LongMembers is with how many members an entry of the provisioning log is not yet a long one. Engines have an index of those that are.
const LongMembers = 100

// Stats counts what a directory holds.
type Stats struct {
	Users, ActiveUsers, Groups, Memberships int64

	Ambiguous int64 // users and groups that Reader.Ambiguous lists

	Defaults map[string]int64 // users by the UserDefaults whose values they carry (Record.Defaults)
	Matched  map[string]int64 // users by the first UserDefaults that matches them (Record.Matched)
}

// Clone returns stats that can be changed without changing s.
func (s Stats) Clone() Stats {
	s.Defaults, s.Matched = maps.Clone(s.Defaults), maps.Clone(s.Matched)
	return s
}

// Reader reads. Inside an Update it sees what that Update has written so far, outside what is durable.
type Reader interface {
	// Get returns one resource, or ErrNotFound.
	Get(ctx context.Context, kind Kind, id string) (Record, error)

	// Find returns the resources that match. Where it may have to look at many of them it can also fail with ErrTooWide or
	// ErrBusy, except inside of an Update or a View.
	Find(ctx context.Context, query Query) (Page, error)

	// Kinds tells which of these ids exist, and what they are. An id that is absent from the answer does not exist.
	Kinds(ctx context.Context, ids []string) (map[string]Kind, error)

	// Members lists the members of a group in the order of their ids. A group that does not exist has none.
	Members(ctx context.Context, group string) ([]Member, error)

	// MembersOf lists at most limit members of these groups. Those of one group are in the order of their ids, from the first that sorts
	// after the given one, "" for the first of all. Of several groups, after counts for none, the members are in no order, and which of
	// them are left out beyond the limit is not said: fewer than limit are all.
	MembersOf(ctx context.Context, groups []string, after string, limit int) ([]Link, error)

	// GroupsOf lists at most limit groups that have these resources as direct members, as MembersOf does members.
	GroupsOf(ctx context.Context, members []string, after string, limit int) ([]Link, error)

	// Records returns those of these resources that exist, in no order.
	Records(ctx context.Context, kind Kind, ids []string) ([]Record, error)

	// Memberships is one step of a walk over the members of all groups: at most limit of them, in the order of group and
	// member, from the first that sorts after the given one. The walk begins after the zero Membership. It passes over what is left
	// of a group or a member that was deleted.
	Memberships(ctx context.Context, after Membership, limit int) ([]Membership, error)

	Stats(ctx context.Context) (Stats, error)

	// Ambiguous lists the resources of a kind, at most limit, that share their Key with another although only one should have it
	// (see Record.Key), in the order of their ids.
	Ambiguous(ctx context.Context, kind Kind, limit int) ([]string, error)

	// Deactivated lists users, at most limit, whose Record.Deactivated is before the given time, the longest inactive first.
	Deactivated(ctx context.Context, before time.Time, limit int) ([]string, error)

	// Log returns at most limit entries of the provisioning log with a Sequence greater than after, oldest first. Entries
	// become visible in the order of their sequence, so that who goes on from the last one misses none.
	Log(ctx context.Context, after int64, limit int) ([]Entry, error)

	// LogBack returns at most limit entries of the provisioning log with a Sequence less than before, newest first.
	LogBack(ctx context.Context, before int64, limit int) ([]Entry, error)

	// Newest returns the entry of the provisioning log with the greatest Sequence, the zero Entry where there is none. An engine that
	// numbers entries when they are read leaves out those that Log has not been asked for.
	Newest(ctx context.Context) (Entry, error)

	// Meta returns what SetMeta last stored under key, "" if nothing was.
	Meta(ctx context.Context, key string) (string, error)
}

// Tx changes the directory. It is valid only until the function it was given to returns, and belongs to one goroutine.
type Tx interface {
	Reader

	// Insert adds a resource. A Key that another must not have too, or an id that is taken, is a *ConflictError, and nothing is
	// changed. Of two Updates at the same time one meets the other's, however many servers there are.
	Insert(ctx context.Context, record *Record) error

	// InsertAll is Insert of many of one kind, which an engine may do at once, and returns how many there were before the one
	// that failed. Whether those were inserted is then not said, so the update must fail too.
	InsertAll(ctx context.Context, records []*Record) (before int, err error)

	// Replace overwrites a whole resource but its memberships. The caller gives the new version. ErrNotFound if
	// it is not there, *ConflictError if its new Key or ExternalID clashes with another resource. A
	// clash that was there before is none.
	Replace(ctx context.Context, record *Record) error

	// Rekey is one step of a walk over the resources of a kind, in the order of their ids, that gives each the Key which
	// schema.FoldName makes of the one that it has: an earlier version, or an import, gave it schema.Fold of the name. Versions and
	// times stay. Resources that share a Key afterwards all keep it. At most limit keys that are not ASCII are looked at, from the first
	// id greater than after; the step after that begins at next, "" after the last. A Key that would be longer than MaxKey stays.
	Rekey(ctx context.Context, kind Kind, after string, limit int) (next string, err error)

	// Touch sets version and modification time alone, as when a group's members change. ErrNotFound if it is not there.
	Touch(ctx context.Context, kind Kind, id string, version int64, modified time.Time) error

	// Delete removes a resource, or returns ErrNotFound. Its memberships stay: however many they are, LeaveGroups and ClearMembers take
	// away some at a time. None is added from here on.
	Delete(ctx context.Context, kind Kind, id string) error

	// LeaveGroups removes a resource from at most limit of the groups that have it as a direct member, and returns how many that were.
	// Each becomes a new version, which is modified at the time of entry or, where it was modified later than that, a millisecond after
	// its last change; entry goes to the provisioning log with this time, the id of the group, and the resource as the member that was
	// removed. The number of statements does not depend on that of groups.
	LeaveGroups(ctx context.Context, member string, limit int, entry Entry) (left int, err error)

	// AddMembers adds those that are not members yet and returns how many that were; each is a step of changes. Whether the members
	// exist is for the caller to ask with Kinds in the same Update; that the group does, too.
	AddMembers(ctx context.Context, group string, members []Member, changes *MemberChanges) (added int, err error)

	// RemoveMembers removes those that are members and returns how many that were; each is a step of changes.
	RemoveMembers(ctx context.Context, group string, ids []string, changes *MemberChanges) (removed int, err error)

	// ClearMembers removes members, at most limit of them, and returns how many; each is a step of changes.
	ClearMembers(ctx context.Context, group string, limit int, changes *MemberChanges) (removed int, err error)

	// Append adds one row to the provisioning log. The engine gives the Sequence. An entry that has one keeps it: only an
	// import gives one, greater than any that is there.
	Append(ctx context.Context, entry Entry) error
	// TrimLog looks at the oldest entries of the provisioning log, at most limit of them, removes those that are not to be kept any more,
	// and returns how many that were. The newest entry always stays, because sequence numbers go on from it.
	TrimLog(ctx context.Context, kept Retention, limit int) (removed int, err error)

	SetMeta(ctx context.Context, key, value string) error

	// RequireMeta returns ErrOutdated unless this value is stored under key. Nobody changes what is stored there before the
	// transaction has ended, and any number of transactions may ask at once.
	RequireMeta(ctx context.Context, key, value string) error

	// SetMetaUnless is SetMeta unless something is stored under other and is one of values. Nobody changes what is stored there
	// before the transaction has ended, and any number of transactions may ask at once.
	SetMetaUnless(ctx context.Context, key, value, other string, values ...string) error
}

// Store is one tenant's directory in an engine. Its methods may be called from any number of goroutines.
type Store interface {
	Reader

	// Update runs change in a transaction of its own: all of it is durable when Update returns nil, and none of
	// it happened when Update returns an error. The function may run more than once, on another goroutine,
	// and must have no effect outside tx. What it returns is what Update returns, and a *panicked.Error where it panics. If ctx ends before the function has
	// started, it never starts and Update returns ctx's error; once started, Update waits and tells the outcome.
	Update(ctx context.Context, change func(tx Tx) error) error

	// View runs read with a Reader that sees the directory as it was at one moment, however long read takes and whatever is
	// written meanwhile. The Reader is valid only until read returns. What read returns is what View returns. A view
	// costs the engine something while it lasts, so there may be few at a time; others wait.
	View(ctx context.Context, read func(r Reader) error) error
	// Check tells whether the store can read, and whether it could write when last asked to: its error is an ErrUnwritable where it is
	// certain that reads go on. After a failed commit it tries again by itself, so that a disk that has room again is noticed.
	Check(ctx context.Context) error

	// Close finishes the updates that were asked for, refuses later calls with ErrUnavailable, and releases the store.
	Close() error
}
