package patch

// The accommodations of PATCH requests, beside those of values (schema.Lenience): what clients send that RFC 7644 does not
// have, and what is made of it.
const (
	// QuirkOpCase: "Add", "REPLACE". Read as lower case. Entra's default dialect.
	QuirkOpCase = "op-case"
	// QuirkNoOperations: an empty array of operations. Nothing is changed.
	QuirkNoOperations = "no-operations"
	// QuirkDottedKey: "name.givenName" as a key of a value without path. Read as a path. Entra's flagged dialect.
	QuirkDottedKey = "dotted-key"
	// QuirkQualifiedKey: "urn:…:User:department" as a key of a value without path. Read as a path. Entra's flagged
	// dialect.
	QuirkQualifiedKey = "qualified-key"
	// QuirkFilteredKey: `emails[type eq "work"].value` as a key of a value without path. Read as a path.
	QuirkFilteredKey = "filtered-key"
	// QuirkUnqualifiedExtension: an extension's attribute named without the extension's URN, or with that of the core
	// schema. Found by its name.
	QuirkUnqualifiedExtension = "unqualified-extension"
	// QuirkURNDot: a dot instead of the colon behind a URN. Read as a colon. Entra before 2018.
	QuirkURNDot = "urn-dot"
	// QuirkRemoveWithValue: a remove with a value. Of a multi-valued attribute, or of its "value", only these values are
	// removed, as Entra means it, and behind a filter those of them that it selects; otherwise the value is ignored.
	QuirkRemoveWithValue = "remove-with-value"
	// QuirkMissingTarget: an add or replace at a value path that matches no value. Where the filter says how it looks, as in
	// emails[type eq "work"].value, the value is made, and not the error noTarget. Both dialects of Entra.
	QuirkMissingTarget = "missing-target"
	// QuirkActiveCleared: active is removed or becomes null, or a PUT of an inactive user lacks it. Nothing is changed: who
	// may sign in is said by true or false, and by nothing else.
	QuirkActiveCleared = "active-cleared"
	// QuirkUnknownMember: members of a group that do not exist, among them the group itself. They are left out; where none of
	// those is left that were to replace others, the request is refused.
	QuirkUnknownMember = "unknown-member"
)
