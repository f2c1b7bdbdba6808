package transfer_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/transfer"
)

const (
	one = "01926e6f-6f2c-7000-8000-000000000001"
	two = "01926e6f-6f2c-7000-8000-000000000002"
)

// handmade is a file with these lines that has the checksum of an export, which proves nothing about its writer.
func handmade(header string, lines ...string) string {
	var counts transfer.Counts
	file := header + "\n"
	for _, line := range lines {
		file += line + "\n"
		for kind, count := range map[string]*int64{"user": &counts.Users, "group": &counts.Groups, "entry": &counts.Entries} {
			if strings.HasPrefix(line, `{"`+kind+`"`) {
				*count++
			}
		}
		if _, rest, ok := strings.Cut(line, `"users":[`); ok {
			counts.Memberships += int64(1 + strings.Count(rest, ","))
		}
	}
	return file + fmt.Sprintf(`{"end":{"users":%d,"groups":%d,"memberships":%d,"entries":%d,"sha256":"%x"}}`,
		counts.Users, counts.Groups, counts.Memberships, counts.Entries, sha256.Sum256([]byte(file))) + "\n"
}

const plain = `{"directory":{"format":1}}`

// resource is the line of a user or group with these fields behind those that each has.
func resource(kind, id, fields string) string {
	return fmt.Sprintf(`{"%s":{"id":"%s","version":1,"created":"2026-11-01T06:00:00Z","modified":"2026-11-01T06:00:00Z",%s}}`, kind, id, fields)
}

func user(document string) string {
	return resource("user", one, `"document":{"active":true,"userName":"a"`+document+`}`)
}

// given is a user with what the server says of it, beside a title.
func given(stamp string) string { return stampedUser(``, `"title":"t",`, stamp) }

// stampedUser is a user with fields of the record, other attributes, and what the server says of it.
func stampedUser(fields, attributes, stamp string) string {
	return resource("user", one, fields+`"document":{"active":true,`+attributes+`"`+schema.TenantryUser+`":`+stamp+`,"userName":"a"}`)
}

// following is a user with values that follow a UserDefaults.
func following(overlay string) string {
	return resource("user", one, `"defaults":"d","matched":"d","document":{"active":true,"userName":"a"},"overlay":`+overlay)
}

func entry(fields string) string {
	return `{"entry":{"time":"2026-11-01T06:00:00Z","resourceType":"User",` + fields + `}}`
}

const counted = `"sequence":1,"operation":"patch","outcome":"success","count":1,`

// grouped is an entry of a group with these members.
func grouped(members string) string {
	return `{"entry":{"sequence":1,"time":"2026-11-01T06:00:00Z","resourceType":"Group","operation":"patch","members":` + members + `,"outcome":"success","count":1}}`
}

const stamped = `"` + schema.TenantryUser + `":{"companies":["A"],"defaulted":[],"defaults":"d"}`

func TestAnImportTakesWhatAServerCouldHold(t *testing.T) {
	long := strings.Repeat("x", store.MaxKey)
	for engine, into := range engines(t) {
		for name, file := range map[string]string{
			"a stamp of an earlier version": handmade(plain, stampedUser(`"defaults":"d",`, ``, `{"companies":["A"],"defaults":"d"}`)),
			"a stamp": handmade(plain, stampedUser(`"defaults":"d",`, `"title":"t",`,
				`{"cleared":["locale"],"companies":["A"],"defaulted":[{"defaults":"d","path":"title"},{"path":"roles"}],"defaults":"d"}`)),
			"what a client patched":      handmade(plain, stampedUser(``, `"roles":[{"value":"r"}],`, `{"defaulted":[],"patched":["roles"]}`)),
			"what a client cleared":      handmade(plain, stampedUser(``, ``, `{"cleared":["roles"],"defaulted":[]}`)),
			"values that follow":         handmade(plain, following(`{"locale":"sv-SE","roles":[{"value":"r"}],`+stamped+`}`)),
			"names and ids of any size":  handmade(plain, resource("user", one, `"document":{"active":true,"externalId":"`+long+`","userName":"`+long+`"}`)),
			"a name that is long as two": handmade(plain, resource("user", one, `"document":{"active":true,"userName":"`+strings.Repeat("o\u0308", 700)+`"}`)),
			"the values of a former declaration, which asked for more": handmade(
				`{"directory":{"format":1,"schemas":"{\"former\":[{\"id\":\"urn:contoso:hr\",\"attributes\":[{\"name\":\"badge\"},{\"name\":\"rank\",\"required\":true}]}]}"}}`,
				resource("user", one, `"document":{"active":true,"urn:contoso:hr":{"badge":"b"},"userName":"a"}`)),
		} {
			t.Run(engine+": "+name, func(t *testing.T) {
				to := into(t)
				if _, err := transfer.Import(t.Context(), to, of(to), strings.NewReader(file)); err != nil {
					t.Fatal(err)
				}
				if again := exported(t, to, transfer.Options{}); !bytes.Equal(again, []byte(file)) {
					t.Errorf("exported again it is\n%s\nwant\n%s", again, file)
				}
			})
		}
	}
}

func TestAnImportRefusesWhatNoServerCouldHold(t *testing.T) {
	const long = 2 * store.MaxKey
	schemas := func(text string) string { return fmt.Sprintf(`{"directory":{"format":1,"schemas":%q}}`, text) }
	extension := func(id, attribute string) string {
		return schemas(`{"declared":[{"id":"` + id + `","attributes":[` + attribute + `]}]}`)
	}
	of1 := "line 2: this is no whole export: User " + one + ": "
	cases := map[string]struct{ file, want string }{
		"an id in the document":        {handmade(plain, user(`,"id":"spoofed"`)), of1 + "document: id is the server's and does not stand in a document"},
		"a password":                   {handmade(plain, user(`,"password":"hunter2"`)), of1 + "document: password is never stored"},
		"a wrong type":                 {handmade(plain, user(`,"emails":"no array"`)), of1 + "document: emails accepts an array of its values"},
		"a key twice":                  {handmade(plain, user(`,"title":"x","TITLE":"y"`)), of1 + "document: an object of the body has the key TITLE twice; case does not count"},
		"nesting":                      {handmade(plain, user(`,"title":`+strings.Repeat("[", 99)+strings.Repeat("]", 99))), of1 + "document: the body nests more than 16 levels"},
		"members in a group":           {handmade(plain, resource("group", one, `"document":{"displayName":"g","members":[{"value":"`+two+`"}]}`)), "Group " + one + ": document: members does not stand in a document"},
		"a name that is too long":      {handmade(plain, resource("user", one, `"document":{"active":true,"userName":"`+strings.Repeat("x", long)+`"}`)), of1 + "document: userName is longer than 2048 bytes"},
		"an externalId too long":       {handmade(plain, user(`,"externalId":"`+strings.Repeat("x", long)+`"`)), of1 + "document: externalId is longer than 2048 bytes"},
		"a group's name too long":      {handmade(plain, resource("group", one, `"document":{"displayName":"`+strings.Repeat("x", long)+`"}`)), "document: displayName is longer than 2048 bytes"},
		"U+0000":                       {handmade(plain, user(`,"title":"a\u0000"`)), of1 + "document: title accepts text without the character U+0000"},
		"a schema that is not there":   {handmade(plain, user(`,"urn:contoso:hr":{"badge":"b"}`)), of1 + `document: this resource has no attribute "urn:contoso:hr"`},
		"a stamp of a group":           {handmade(plain, resource("group", one, `"document":{"displayName":"g",`+stamped+`}`)), "document: this resource has no attribute"},
		"a stamp that is none":         {handmade(plain, given(`7`)), of1 + "document: " + schema.TenantryUser + " accepts an object"},
		"an empty stamp":               {handmade(plain, given(`{}`)), of1 + "document: " + schema.TenantryUser + " must be left out where it says nothing"},
		"an unknown member of a stamp": {handmade(plain, given(`{"defaulted":[],"isAdmin":true}`)), of1 + "document: " + schema.TenantryUser + " accepts only defaults, companies, defaulted, cleared, patched"},
		"companies of nobody":          {handmade(plain, given(`{"companies":["A"],"defaulted":[]}`)), of1 + "document: " + schema.TenantryUser + ":companies must be left out where no defaults gave them"},
		"companies that are none":      {handmade(plain, stampedUser(`"defaults":"d",`, ``, `{"companies":["A",7],"defaults":"d"}`)), of1 + "document: " + schema.TenantryUser + ":companies[1] accepts a name of spec.catalog.companies"},
		"one company twice":            {handmade(plain, stampedUser(`"defaults":"d",`, ``, `{"companies":["A","A"],"defaults":"d"}`)), of1 + "document: " + schema.TenantryUser + ":companies[1] stands there twice"},
		"a name of defaults":           {handmade(plain, stampedUser(`"defaults":"D\u0000",`, ``, `{"companies":["A"],"defaults":"D\u0000"}`)), of1 + "document: " + schema.TenantryUser + ":defaults accepts the name of a UserDefaults"},
		"other defaults than it has":   {handmade(plain, resource("user", one, `"defaults":"e","document":{"active":true,"userName":"a",`+stamped+`}`)), of1 + "defaults: must be those that " + schema.TenantryUser + ":defaults names"},
		"defaults of nobody":           {handmade(plain, resource("user", one, `"defaults":"e","document":{"active":true,"userName":"a"}`)), of1 + "defaults: must be those that " + schema.TenantryUser + ":defaults names"},
		"what matched":                 {handmade(plain, resource("user", one, `"matched":"a\nb","document":{"active":true,"userName":"a"}`)), of1 + "matched: accepts the name of a UserDefaults"},
		"defaults of a group":          {handmade(plain, resource("group", one, `"matched":"d","document":{"displayName":"g"}`)), "Group " + one + ": only users have defaults"},
		"an overlay of a group":        {handmade(plain, resource("group", one, `"document":{"displayName":"g"},"overlay":{"externalId":"e"}`)), "Group " + one + ": only users have defaults"},
		"a list that is none":          {handmade(plain, given(`{"defaulted":{"path":"title"}}`)), of1 + "document: " + schema.TenantryUser + ":defaulted accepts an array"},
		"an element that is none":      {handmade(plain, given(`{"cleared":["roles"],"defaulted":["title"]}`)), of1 + "document: " + schema.TenantryUser + ":defaulted[0] accepts an object of path and defaults"},
		"an element that says more":    {handmade(plain, given(`{"cleared":["roles"],"defaulted":[{"path":"title","by":"x"}]}`)), of1 + "document: " + schema.TenantryUser + ":defaulted[0] accepts an object of path and defaults"},
		"an unknown path":              {handmade(plain, given(`{"cleared":["roles"],"defaulted":[{"path":"isAdmin"}]}`)), of1 + "document: " + schema.TenantryUser + ":defaulted[0].path accepts an attribute that defaults can give"},
		"a path in another spelling":   {handmade(plain, given(`{"cleared":["roles"],"defaulted":[{"path":"TITLE"}]}`)), of1 + "document: " + schema.TenantryUser + ":defaulted[0].path accepts an attribute that defaults can give"},
		"one path twice":               {handmade(plain, given(`{"cleared":["roles"],"defaulted":[{"path":"title"},{"path":"title","defaults":"d"}]}`)), of1 + "document: " + schema.TenantryUser + ":defaulted[1] stands there twice"},
		"defaults that are none":       {handmade(plain, given(`{"cleared":["roles"],"defaulted":[{"path":"title","defaults":7}]}`)), of1 + "document: " + schema.TenantryUser + ":defaulted[0].defaults accepts the name of a UserDefaults"},
		"an unknown cleared path":      {handmade(plain, given(`{"defaulted":[],"cleared":["password"]}`)), of1 + "document: " + schema.TenantryUser + ":cleared[0] accepts an attribute that defaults can give"},
		"userName cleared":             {handmade(plain, given(`{"defaulted":[],"cleared":["userName"]}`)), of1 + "document: " + schema.TenantryUser + ":cleared[0] accepts an attribute that defaults can give"},
		"an unknown patched path":      {handmade(plain, given(`{"defaulted":[],"patched":["members"]}`)), of1 + "document: " + schema.TenantryUser + ":patched[0] accepts an attribute that defaults can give"},
		"nothing cleared":              {handmade(plain, given(`{"defaulted":[],"cleared":[]}`)), of1 + "document: " + schema.TenantryUser + ":cleared must be left out where it is empty"},
		"a huge list":                  {handmade(plain, given(`{"defaulted":[],"cleared":["roles"`+strings.Repeat(`,"roles"`, 100_000)+`]}`)), of1 + "document: " + schema.TenantryUser + ":cleared[1] stands there twice"},
		"an overlay that is none":      {handmade(plain, following(`7`)), of1 + "stored defaults of User " + one + ": the body must be a JSON object"},
		"an overlay of anybody":        {handmade(plain, following(`{"locale":"sv-SE"}`)), of1 + "overlay: " + schema.TenantryUser + ":defaults accepts the name of a UserDefaults"},
		"an id in the overlay":         {handmade(plain, following(`{"id":"x",`+stamped+`}`)), of1 + "overlay: id is the server's and does not stand in a document"},
		"externalId in the overlay":    {handmade(plain, following(`{"externalId":"x",`+stamped+`}`)), of1 + "overlay: externalId is no attribute that defaults can give"},
		"active in the overlay":        {handmade(plain, following(`{"active":true,`+stamped+`}`)), of1 + "overlay: active is no attribute that defaults can give"},
		"userName in the overlay":      {handmade(plain, following(`{"userName":"b",`+stamped+`}`)), of1 + "overlay: userName is no attribute that defaults can give"},
		"emails in the overlay":        {handmade(plain, following(`{"emails":[{"value":"b"}],`+stamped+`}`)), of1 + "overlay: emails is no attribute that defaults can give"},
		"cleared in the overlay":       {handmade(plain, following(`{"`+schema.TenantryUser+`":{"cleared":["roles"],"companies":["A"],"defaults":"d"}}`)), of1 + "overlay: " + schema.TenantryUser + ":cleared is about the client and stands in the document"},
		"a version beyond all":         {handmade(plain, strings.Replace(user(``), `"version":1`, `"version":9223372036854775807`, 1)), of1 + "the version is greater than 9007199254740992"},
		"a negative version":           {handmade(plain, strings.Replace(user(``), `"version":1`, `"version":-1`, 1)), "line 2: this is no whole export: the version is not positive"},
		"created in the future":        {handmade(plain, strings.Replace(user(``), `"created":"2026`, `"created":"2126`, 1)), of1 + "created: must be a time that was, and since 1970"},
		"changed in the future":        {handmade(plain, strings.Replace(user(``), `"modified":"2026`, `"modified":"9999`, 1)), of1 + "modified: must be a time that was, and since 1970"},
		"a time that no export has":    {handmade(plain, strings.Replace(user(``), `"modified":"2026-11-01T06:00:00Z"`, `"modified":"9999-12-31T23:59:59-01:00"`, 1)), of1 + "modified: must be a time that was, and since 1970"},
		"created before all":           {handmade(plain, strings.Replace(user(``), `"created":"2026`, `"created":"0001`, 1)), of1 + "created: must be a time that was, and since 1970"},
		"inactive in the future":       {handmade(plain, resource("user", one, `"deactivated":"2126-11-01T06:00:00Z","document":{"active":false,"userName":"a"}`)), of1 + "deactivated: must be a time that was, and since 1970"},
		"a field of a line twice":      {handmade(plain, strings.Replace(user(``), `"version":1`, `"version":1,"version":2`, 1)), "line 2: this is no whole export: it is not the JSON of an export: duplicate field"},
		"a field in another case":      {handmade(plain, strings.Replace(user(``), `"version":1`, `"VERSION":1`, 1)), "line 2: this is no whole export: it is not the JSON of an export: unknown field"},
		"two resources of one id":      {handmade(plain, user(``), resource("user", one, `"document":{"active":true,"userName":"b"}`)), "line 3: this is no whole export: the id does not follow"},
		"a user and a group of one id": {handmade(plain, user(``), resource("group", one, `"document":{"displayName":"g"}`)), "line 3: this is no whole export: Group " + one + ": a user has this id"},
		"a group in itself":            {handmade(plain, resource("group", one, `"document":{"displayName":"g"}`), `{"members":{"group":"`+one+`","groups":["`+one+`"]}}`), "line 3: this is no whole export: group " + one + " is its own member"},
		"a member that is no id":       {handmade(plain, resource("group", one, `"document":{"displayName":"g"}`), `{"members":{"group":"`+one+`","users":["anna\u0000"]}}`), "line 3: this is no whole export: a member of group " + one + " is no User"},
		"members of what is no id":     {handmade(plain, `{"members":{"group":"anna\u0000","users":["`+one+`"]}}`), "line 2: this is no whole export: there is no group of this id"},
		"an entry beyond all":          {handmade(plain, entry(`"sequence":9223372036854775807,"operation":"create","outcome":"success","count":1`)), "line 2: this is no whole export: the sequence is greater than 9007199254740992"},
		"an entry that counts all":     {handmade(plain, entry(`"sequence":1,"operation":"create","outcome":"success","count":9223372036854775807`)), "line 2: this is no whole export: the count is greater than 9007199254740992"},
		"an entry of the future":       {handmade(plain, strings.Replace(entry(`"sequence":1,"operation":"create","outcome":"success","count":1`), "2026", "9999", 1)), "line 2: this is no whole export: time: must be a time that was, and since 1970"},
		"an entry of an unknown id":    {handmade(plain, entry(`"sequence":1,"resourceId":"anna","operation":"create","outcome":"success","count":1`)), "line 2: this is no whole export: the resourceId is not a UUID in canonical form"},
		"an entry with U+0000":         {handmade(plain, entry(`"sequence":1,"client":"a\u0000","operation":"create","outcome":"success","count":1`)), "line 2: this is no whole export: client accepts a text of at most 2048 bytes without control characters"},
		"an attribute of two lines":    {handmade(plain, entry(`"sequence":1,"attributes":["a","b\nc"],"operation":"create","outcome":"success","count":1`)), "line 2: this is no whole export: attributes accepts a text of at most 2048 bytes without control characters"},
		"members of a user's entry":    {handmade(plain, entry(counted+`"members":{"added":["`+one+`"]}`)), "line 2: this is no whole export: only the entry of a group has members"},
		"members that are none":        {handmade(plain, grouped(`{}`)), "line 2: this is no whole export: members has neither added nor removed ones"},
		"a changed member without id":  {handmade(plain, grouped(`{"removed":["anna"]}`)), "line 2: this is no whole export: the id of a member is not a UUID in canonical form"},
		"a member in upper case":       {handmade(plain, grouped(`{"removed":["`+strings.ToUpper(one)+`"]}`)), "line 2: this is no whole export: the id of a member is not a UUID in canonical form"},
		"a member twice":               {handmade(plain, grouped(`{"added":["`+one+`"],"removed":["`+two+`","`+one+`"]}`)), "line 2: this is no whole export: members has an id twice"},
		"members beyond the bound":     {handmade(plain, grouped(`{"added":["`+strings.Repeat(one+`","`, store.MaxMemberChanges)+one+`"]}`)), "line 2: this is no whole export: members has more than 1000 ids"},
		"members that are a list":      {handmade(plain, grouped(`["`+one+`"]`)), "line 2: this is no whole export: it is not the JSON of an export"},
		"an outcome that is a book":    {handmade(plain, entry(`"sequence":1,"operation":"create","outcome":"`+strings.Repeat("x", long)+`","count":1`)), "line 2: this is no whole export: outcome accepts a text of at most 2048 bytes without control characters"},
		"schemas that are none":        {handmade(schemas(`7`), user(``)), "line 1: this is no whole export: read which schemas were declared"},
		"a schema of the core":         {handmade(extension(schema.CoreUser, `{"name":"x"}`), user(``)), "line 1: this is no whole export: schemas: an id accepts the URN of an extension that a tenant can declare"},
		"a schema of the server":       {handmade(extension(schema.TenantryUser, `{"name":"x"}`), user(``)), "line 1: this is no whole export: schemas: an id accepts the URN of an extension that a tenant can declare"},
		"a schema without a URN":       {handmade(extension("hr", `{"name":"x"}`), user(``)), "line 1: this is no whole export: schemas: an id accepts the URN of an extension that a tenant can declare"},
		"an attribute without a name":  {handmade(extension("urn:contoso:hr", `{"name":"x y"}`), user(``)), "line 1: this is no whole export: schemas: urn:contoso:hr: a name accepts letters, digits, '-' and '_' behind a letter, and stands once"},
		"an attribute twice":           {handmade(extension("urn:contoso:hr", `{"name":"x"},{"name":"X"}`), user(``)), "line 1: this is no whole export: schemas: urn:contoso:hr: a name accepts letters, digits, '-' and '_' behind a letter, and stands once"},
		"an attribute of no type":      {handmade(extension("urn:contoso:hr", `{"name":"x","type":"money"}`), user(``)), "line 1: this is no whole export: schemas: urn:contoso:hr:x: a type accepts one of RFC 7643 section 2.3"},
		"an attribute for nobody":      {handmade(extension("urn:contoso:hr", `{"name":"x","mutability":"readOnly"}`), user(``)), "line 1: this is no whole export: schemas: urn:contoso:hr:x: mutability accepts readWrite and immutable, returned default, always and request"},
		"complex without parts":        {handmade(extension("urn:contoso:hr", `{"name":"x","type":"complex"}`), user(``)), "line 1: this is no whole export: schemas: urn:contoso:hr:x: subAttributes are those of an attribute of type complex, which has some"},
		"more schemas than a server can have": {handmade(schemas(`{"former":[`+strings.TrimSuffix(strings.Repeat(`{"id":"urn:contoso:hr","attributes":[{"name":"x"}]},`, 10_001), ",")+`]}`), user(``)),
			"line 1: this is no whole export: schemas: there are more than 10000 attributes"},
	}
	for engine, into := range engines(t) {
		to := into(t)
		for name, c := range cases {
			t.Run(engine+": "+name, func(t *testing.T) {
				// Where it is taken, the next case finds the directory empty nevertheless.
				_, err := transfer.Import(t.Context(), undone{to}, of(to), strings.NewReader(c.file))
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v\nwant  %s", err, c.want)
				}
			})
		}
	}
}

func engines(t *testing.T) map[string]func(t *testing.T) store.Store {
	t.Helper()
	return map[string]func(t *testing.T) store.Store{
		"SQLite":     func(t *testing.T) store.Store { return open(t, t.TempDir()) },
		"PostgreSQL": openPostgres,
	}
}
