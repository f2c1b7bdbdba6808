// Package signin decides which user of a directory a token is of. It reads claims and stored values, and asks nobody.
//
// Claims and stored values are of two kinds. An object ID (oid) and a subject (sub) are one person's for good. A name (preferred_username, upn)
// can change, and can be given to somebody else: it counts only where nothing of the other kind is stored.
package signin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// MaxUsers is how many users may be looked at for one person. More that have something of the person's are as good as none: see Choose.
const MaxUsers = 8

// Person is a person as a token of their identity provider names them.
type Person struct {
	// Issuers are the names of the identity provider: the iss of its tokens, of each version.
	Issuers []string
	// ObjectID is the person's in the Entra tenant (claim oid), which never changes and is never given to anybody else.
	ObjectID string
	// Subject is the person's for the application that they signed in to (claim sub, OpenID Connect Core section 2). Case counts.
	Subject string
	// UserName is how they sign in at present (preferred_username or upn), "" where the token does not tell, or where it is not the Entra
	// tenant that gave the name.
	UserName string
}

// User is what a stored user says of how the person signs in.
type User struct {
	IdentityProvider, NameIdentifier, ExternalID, UserName string
	Active                                                 bool
}

// Read reads a user as the directory stores it. The error is for what is no JSON object of a user.
func Read(document []byte) (User, error) {
	var stored struct {
		UserName   string `json:"userName"`
		ExternalID string `json:"externalId"`
		Active     bool   `json:"active"`
		Medius     struct {
			IdentityProvider string `json:"identityProvider"`
			NameIdentifier   string `json:"nameIdentifier"`
		} `json:"urn:ietf:params:scim:schemas:extension:medius:2.0:User"`
	}
	if err := json.Unmarshal(document, &stored); err != nil {
		return User{}, fmt.Errorf("read how a user signs in: %w", err)
	}
	return User{
		IdentityProvider: stored.Medius.IdentityProvider, NameIdentifier: stored.Medius.NameIdentifier,
		ExternalID: stored.ExternalID, UserName: stored.UserName, Active: stored.Active,
	}, nil
}

// Match is what a user is to a person.
type Match int

const (
	// Other is a user who is somebody else, or whom another way of signing in leads to.
	Other Match = iota
	// Claimed is a user who has the person's object ID or subject and is not reached by it: at another identity provider, beside half
	// of a way of signing in, or beside another one. Nobody is reached by name while there is one.
	Claimed
	// ByName is a user who has the person's name and nothing that tells whose the name was when the user was stored.
	ByName
	// ByID is a user who has the person's object ID or subject.
	ByID
)

// Match compares one user with the person.
//
// A user with identityProvider or nameIdentifier says how to sign in, and is reached in this way only: half of it reaches nobody.
func (p *Person) Match(u User) Match {
	owner := p.owns(u.ExternalID)
	switch {
	case u.IdentityProvider == "" && u.NameIdentifier == "":
		switch {
		case owner == mine:
			return ByID
		case owner == unsaid && p.isNamed(u.UserName):
			return ByName
		}
	case p.isFrom(u.IdentityProvider) && u.NameIdentifier != "":
		switch {
		case p.isIdentified(u.NameIdentifier):
			return ByID
		case p.isNamed(u.NameIdentifier) && owner == mine:
			return ByID
		case p.isNamed(u.NameIdentifier) && owner == unsaid:
			return ByName
		}
	}
	if owner == mine || p.isIdentified(u.NameIdentifier) {
		return Claimed
	}
	return Other
}

// Refusal is why a person is none of the users. It is a word for the person's application, and tells nothing of other users.
type Refusal string

const (
	// Unknown says that no user is reached by the token.
	Unknown Refusal = "unknown"
	// Ambiguous says that more than one is.
	Ambiguous Refusal = "ambiguous"
	// Inactive says that the one who is reached is not active.
	Inactive Refusal = "inactive"
)

// Choose returns which of the users the person is, with the refusal "", or why the person is none of them. The users are all that Filter finds, or
// more than MaxUsers of them.
func (p *Person) Choose(users []User) (at int, refusal Refusal) {
	if len(users) > MaxUsers {
		return 0, Ambiguous
	}
	var count, last [ByID + 1]int
	for i, u := range users {
		match := p.Match(u)
		count[match]++
		last[match] = i
	}
	way := ByID
	if count[ByID] == 0 && count[Claimed] == 0 {
		way = ByName
	}
	switch at = last[way]; {
	case count[way] == 0:
		return 0, Unknown
	case count[way] > 1:
		return 0, Ambiguous
	case !users[at].Active:
		return 0, Inactive
	}
	return at, ""
}

// Filter is the SCIM filter that finds every user who has something of the person's.
func (p *Person) Filter() string {
	const nameIdentifier = schema.MediusUser + ":nameIdentifier"
	var terms []string
	add := func(attribute, value string) {
		quoted, _ := json.Marshal(value) // a string can always be encoded
		if term := attribute + " eq " + string(quoted); value != "" && !slices.Contains(terms, term) {
			terms = append(terms, term)
		}
	}
	for _, id := range spellings(p.ObjectID) {
		add(nameIdentifier, id)
	}
	add(nameIdentifier, p.Subject)
	add(nameIdentifier, p.UserName)
	for _, id := range spellings(p.ObjectID) { // whose case counts
		add("externalId", id)
		add("externalId", strings.ToUpper(id))
	}
	add("userName", p.UserName)
	return strings.Join(terms, " or ")
}

// spellings are how an object ID is written, in lower case. A text that is none has one.
func spellings(objectID string) []string {
	id, err := uuid.Parse(objectID)
	if err != nil {
		return []string{objectID}
	}
	return []string{id.String(), "{" + id.String() + "}", strings.ReplaceAll(id.String(), "-", "")}
}

// owner is whose an ID is.
type owner int

const (
	unsaid owner = iota // it is no object ID
	mine
	another
)

// owns tells whose an ID is that can be an object ID.
func (p *Person) owns(text string) owner {
	stored, err := uuid.Parse(strings.TrimSpace(text))
	if err != nil {
		if text != "" && text == p.ObjectID {
			return mine
		}
		return unsaid
	}
	if presented, err := uuid.Parse(p.ObjectID); err == nil && stored == presented {
		return mine
	}
	return another
}

// isIdentified tells whether a text is the person's object ID or subject.
func (p *Person) isIdentified(text string) bool {
	return text != "" && text == p.Subject || p.owns(text) == mine
}

// isNamed tells whether a text is the person's name. No object ID is a name.
func (p *Person) isNamed(text string) bool {
	return p.UserName != "" && p.owns(text) == unsaid && schema.FoldName(text) == schema.FoldName(p.UserName)
}

// isFrom tells whether an identity provider is the person's, by the name of any version, with or without a slash at its end.
func (p *Person) isFrom(identityProvider string) bool {
	return slices.ContainsFunc(p.Issuers, func(issuer string) bool {
		return strings.EqualFold(strings.TrimSuffix(identityProvider, "/"), strings.TrimSuffix(issuer, "/"))
	})
}
