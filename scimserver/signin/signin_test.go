package signin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/signin"
)

const (
	annas   = "0c7d2b9f-3f1e-4a55-8f0b-2a1c6d5e4f30"
	bos     = "77d1a3c2-9be0-4c1f-a6de-0f0e8b7c5a11"
	subject = "AAAAsubject"
	name    = "anna.k@contoso.test"
	version = "https://login.microsoftonline.com/8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11/v2.0"
	former  = "https://sts.windows.net/8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11/"
)

func anna() *signin.Person {
	return &signin.Person{Issuers: []string{version, former}, ObjectID: annas, Subject: subject, UserName: name}
}

// The values that a user can have in each attribute, by classes that the decision does not tell apart. Every member of a class is tried.
var (
	providers = map[string][]string{
		"none": {""},
		"ours": {version, former, version + "/", strings.TrimSuffix(former, "/"), strings.ToUpper(version), strings.ToUpper(former)},
		"another": {
			"https://login.microsoftonline.com/11111111-0a52-4a5b-9b61-3f2f6f6d2c11/v2.0", "https://sts.windows.net/11111111-0a52-4a5b-9b61-3f2f6f6d2c11/",
			"https://login.microsoftonline.com/common/v2.0", "https://login.microsoftonline.com/8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11",
			"https://login.microsoftonline.com/8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11/v2.0/x", "http" + strings.TrimPrefix(version, "https"),
			"8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11", "entra-contoso.test", "https://idp.example/", "/", " ", version + "//",
		},
	}
	nameIdentifiers = map[string][]string{
		"none":         {""},
		"her oid":      {annas, strings.ToUpper(annas), "{" + strings.ToUpper(annas) + "}", strings.ReplaceAll(annas, "-", ""), "0C7d2b9F-3f1e-4a55-8f0b-2a1c6d5e4f30"},
		"her sub":      {subject},
		"her name":     {name, strings.ToUpper(name)},
		"another's ID": {bos, strings.ToUpper(bos), "{" + bos + "}", strings.ReplaceAll(bos, "-", "")},
		"another text": {"bo@contoso.test", strings.ToLower(subject), "anna", annas[:35], " ", name + " ", subject + "x"},
	}
	externalIDs = map[string][]string{
		"nobody's ID":  {"", "anna", "AAAAsubject", name, annas[:35], "4711", "q1w2e3r4t5y6u7i8o9p0aA=="},
		"her oid":      {annas, strings.ToUpper(annas), "{" + strings.ToUpper(annas) + "}", strings.ReplaceAll(annas, "-", "")},
		"another's ID": {bos, strings.ToUpper(bos), "{" + bos + "}", " " + bos + " "},
	}
	userNames = map[string][]string{
		"hers":      {name, "Anna.K@Contoso.Test", "ａnna.k@contoso.test"},
		"another's": {"bo@contoso.test", annas, subject, "anna.k@contoso.test.example", "x"},
	}
)

// table is the decision: what a user is to a person, for everything that can be stored.
//
//	id     the person is this user: object ID or subject say so
//	name   the person is this user where no user has object ID or subject: a name says so, and nothing that is stored gainsays
//	-      another: never, and others may be reached by name
//	!      another, who has the person's object ID or subject: never, and nobody is reached by name
const table = `
identityProvider | nameIdentifier | externalId: nobody's ID | …         | her oid | …         | another's ID | …
                 |                | userName: hers          | another's | hers    | another's | hers         | another's
none             | none           | name                    | -         | id      | id        | -            | -
none             | her oid        | !                       | !         | !       | !         | !            | !
none             | her sub        | !                       | !         | !       | !         | !            | !
none             | her name       | -                       | -         | !       | !         | -            | -
none             | another's ID   | -                       | -         | !       | !         | -            | -
none             | another text   | -                       | -         | !       | !         | -            | -
ours             | none           | -                       | -         | !       | !         | -            | -
ours             | her oid        | id                      | id        | id      | id        | id           | id
ours             | her sub        | id                      | id        | id      | id        | id           | id
ours             | her name       | name                    | name      | id      | id        | -            | -
ours             | another's ID   | -                       | -         | !       | !         | -            | -
ours             | another text   | -                       | -         | !       | !         | -            | -
another          | none           | -                       | -         | !       | !         | -            | -
another          | her oid        | !                       | !         | !       | !         | !            | !
another          | her sub        | !                       | !         | !       | !         | !            | !
another          | her name       | -                       | -         | !       | !         | -            | -
another          | another's ID   | -                       | -         | !       | !         | -            | -
another          | another text   | -                       | -         | !       | !         | -            | -
`

// rows calls do with each cell of the table: the classes of what is stored, and what is decided.
func rows(t *testing.T, do func(provider, nameIdentifier, externalID, userName string, want string)) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(table), "\n")[2:]
	if len(lines) != len(providers)*len(nameIdentifiers) {
		t.Fatalf("the table has %d rows, want %d", len(lines), len(providers)*len(nameIdentifiers))
	}
	seen := map[string]bool{}
	for _, line := range lines {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 8 {
			t.Fatalf("row %q", line)
		}
		provider, nameIdentifier := cells[0], cells[1]
		if len(providers[provider]) == 0 || len(nameIdentifiers[nameIdentifier]) == 0 || seen[provider+nameIdentifier] {
			t.Fatalf("row %q", line)
		}
		seen[provider+nameIdentifier] = true
		for i, externalID := range []string{"nobody's ID", "her oid", "another's ID"} {
			for j, userName := range []string{"hers", "another's"} {
				do(provider, nameIdentifier, externalID, userName, cells[2+2*i+j])
			}
		}
	}
}

// each calls do with each user that belongs to the classes.
func each(provider, nameIdentifier, externalID, userName string, do func(signin.User)) {
	for _, p := range providers[provider] {
		for _, n := range nameIdentifiers[nameIdentifier] {
			for _, e := range externalIDs[externalID] {
				for _, u := range userNames[userName] {
					do(signin.User{IdentityProvider: p, NameIdentifier: n, ExternalID: e, UserName: u, Active: true})
				}
			}
		}
	}
}

var matches = map[string]signin.Match{"id": signin.ByID, "name": signin.ByName, "-": signin.Other, "!": signin.Claimed}

func TestEveryCombinationOfWhatIsStored(t *testing.T) {
	rows(t, func(provider, nameIdentifier, externalID, userName, want string) {
		each(provider, nameIdentifier, externalID, userName, func(u signin.User) {
			if got := anna().Match(u); got != matches[want] {
				t.Errorf("%+v is %d, want %q", u, got, want)
			}
		})
	})
}

// A token that tells less finds less, and nobody else.
func TestEveryCombinationOfClaims(t *testing.T) {
	for _, without := range [][]string{{"name"}, {"sub"}, {"name", "sub"}} {
		person := anna()
		if slices.Contains(without, "name") {
			person.UserName = ""
		}
		if slices.Contains(without, "sub") {
			person.Subject = ""
		}
		rows(t, func(provider, nameIdentifier, externalID, userName, want string) {
			wanted := matches[want]
			hers := externalID == "her oid"
			switch {
			case slices.Contains(without, "sub") && nameIdentifier == "her sub":
				wanted = signin.Other
				if hers {
					wanted = signin.Claimed
				}
			case slices.Contains(without, "name") && nameIdentifier == "her name" && provider == "ours":
				wanted = signin.Other
				if hers {
					wanted = signin.Claimed
				}
			case slices.Contains(without, "name") && want == "name":
				wanted = signin.Other
			}
			each(provider, nameIdentifier, externalID, userName, func(u signin.User) {
				if got := person.Match(u); got != wanted {
					t.Errorf("without %v %+v is %d, want %d", without, u, got, wanted)
				}
			})
		})
	}
}

// Every pair of users, of each cell of the table one.
func TestEveryPairOfUsers(t *testing.T) {
	var users []signin.User
	var wants []string
	rows(t, func(provider, nameIdentifier, externalID, userName, want string) {
		users = append(users, signin.User{
			IdentityProvider: providers[provider][0], NameIdentifier: nameIdentifiers[nameIdentifier][0],
			ExternalID: externalIDs[externalID][0], UserName: userNames[userName][0], Active: true,
		})
		wants = append(wants, want)
	})
	// The decision for two of these together. A pair stands there once, in the order of its words.
	decided := map[string]string{
		"!, !": "unknown", "!, -": "unknown", "!, id": "id", "!, name": "unknown", "-, -": "unknown", "-, id": "id", "-, name": "name",
		"id, id": "ambiguous", "id, name": "id", "name, name": "ambiguous",
	}
	for i, one := range users {
		for j, other := range users {
			pair := []string{wants[i], wants[j]}
			slices.Sort(pair)
			want := decided[strings.Join(pair, ", ")]
			at, refusal := anna().Choose([]signin.User{one, other})
			switch want {
			case "id", "name":
				if refusal != "" || wants[[]int{i, j}[at]] != want {
					t.Errorf("%+v and %+v: %d, %q, want the one by %s", one, other, at, refusal, want)
				}
			default:
				if refusal != signin.Refusal(want) {
					t.Errorf("%+v and %+v: %d, %q, want %s", one, other, at, refusal, want)
				}
			}
		}
	}
}

func TestOneWhoIsInactiveIsNotLetIn(t *testing.T) {
	byID := signin.User{ExternalID: annas, UserName: "x", Active: true}
	byName := signin.User{UserName: name, Active: true}
	inactive := func(u signin.User) signin.User { u.Active = false; return u }
	for what, c := range map[string]struct {
		users []signin.User
		want  signin.Refusal
	}{
		"by ID":                                {[]signin.User{inactive(byID)}, signin.Inactive},
		"by name":                              {[]signin.User{inactive(byName)}, signin.Inactive},
		"by ID, beside one by name":            {[]signin.User{byName, inactive(byID)}, signin.Inactive},
		"an active one beside an inactive one": {[]signin.User{inactive(byID), byID}, signin.Ambiguous},
		"by name, beside one by ID":            {[]signin.User{inactive(byName), byID}, ""},
		"nobody":                               {nil, signin.Unknown},
		"an inactive one who is somebody else": {[]signin.User{inactive(signin.User{UserName: name, ExternalID: bos})}, signin.Unknown},
		"as many as may be":                    {append(slices.Repeat([]signin.User{{ExternalID: bos}}, signin.MaxUsers-1), byID), ""},
		"one more":                             {append(slices.Repeat([]signin.User{{ExternalID: bos}}, signin.MaxUsers), byID), signin.Ambiguous},
	} {
		if _, got := anna().Choose(c.users); got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}

// A user who is not found cannot keep anybody from being reached by name.
func TestTheFilterFindsEveryoneWhoMatters(t *testing.T) {
	parsed, err := filter.Parse(schema.User(), anna().Filter())
	if err != nil {
		t.Fatal(err)
	}
	rows(t, func(provider, nameIdentifier, externalID, userName, want string) {
		each(provider, nameIdentifier, externalID, userName, func(u signin.User) {
			document := fmt.Sprintf(`{"userName":%q,"externalId":%q,%q:{"identityProvider":%q,"nameIdentifier":%q}}`,
				u.UserName, u.ExternalID, schema.MediusUser, u.IdentityProvider, u.NameIdentifier)
			user, err := schema.Decode([]byte(document))
			if err != nil {
				t.Fatal(err)
			}
			if want != "-" && !filter.Match(parsed, user) {
				t.Errorf("%s is not found, who is %q", document, want)
			}
		})
	})
	if terms := strings.Count(anna().Filter(), " eq "); terms != 12 {
		t.Errorf("%d terms, want 12:\n%s", terms, anna().Filter())
	}
}

func TestAClaimIsNoFilter(t *testing.T) {
	person := &signin.Person{ObjectID: `x" or userName pr or userName eq "`, Subject: `\" or userName pr`, UserName: "\u2028<\"'\\\n"}
	parsed, err := filter.Parse(schema.User(), person.Filter())
	if err != nil {
		t.Fatal(err)
	}
	for document, want := range map[string]bool{
		`{"userName":"x"}`: false, `{"userName":"bo@contoso.test","externalId":"x"}`: false, `{"userName":"\u2028<\"'\\\n"}`: true,
	} {
		user, err := schema.Decode([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		if got := filter.Match(parsed, user); got != want {
			t.Errorf("%s: %t, want %t", document, got, want)
		}
	}
}

func TestAUserIsReadAsItIsStored(t *testing.T) {
	got, err := signin.Read([]byte(`{"active":true,"externalId":"e","userName":"u","name":{"userName":"x"},"` + schema.MediusUser +
		`":{"identityProvider":"p","nameIdentifier":"n"}}`))
	want := signin.User{IdentityProvider: "p", NameIdentifier: "n", ExternalID: "e", UserName: "u", Active: true}
	if err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if _, err := signin.Read([]byte(`[]`)); err == nil {
		t.Error("an array is a user")
	}
}
