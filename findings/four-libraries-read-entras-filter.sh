#!/usr/bin/env bash
# Four SCIM libraries read the filter emails[type eq "work"].value eq "..." in three ways; two of them refuse it.
#
# RFC 7644 allows a sub-attribute behind the brackets in a PATCH path only, not in a filter. scimmy compares the value
# of the same element, scim2-parse-filter that of any: it finds a person by the home address if there is a work address.
# Why it matters: Entra ID sends this filter when the work address is its matching attribute, and changes the person
# whom it finds. Tenantry's server reads it as emails[type eq "work" and value eq "..."].
# Seen with scimmy 1.3.5, scim2-parse-filter 0.2.10, scim-query-filter-parser 2.0.4 and
# github.com/scim2/filter-parser/v2 v2.3.1. Needs node, npm and go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --prefix . scimmy@1.3.5 scim2-parse-filter@0.2.10 scim-query-filter-parser@2.0.4
npm ls --prefix . | tail -n +2
cat >run.mjs <<'END'
import SCIMMY from 'scimmy';
import scim2 from 'scim2-parse-filter';
import query from 'scim-query-filter-parser';
const libraries = {
  'scimmy': (filter, users) => new SCIMMY.Types.Filter(filter).match(users),
  'scim2-parse-filter': (filter, users) => users.filter(scim2.filter(scim2.parse(filter))),
  'scim-query-filter-parser': (filter, users) => users.filter(query.compileFilter(filter)),
};
const users = [{
  userName: 'anna',
  emails: [{ type: 'work', value: 'anna@example.com' }, { type: 'home', value: 'anna@example.org' }],
}];
for (const [name, find] of Object.entries(libraries)) {
  for (const address of ['anna@example.com', 'anna@example.org']) {
    const filter = `emails[type eq "work"].value eq "${address}"`;
    try {
      console.log(`${name}: ${filter} finds ${find(filter, users).map((user) => user.userName).join() || 'nobody'}`);
    } catch (error) {
      console.log(`${name}: ${filter} is refused: ${error.message}`);
    }
  }
}
END
export GOWORK=off GOFLAGS=-mod=mod
go mod init finding
go get github.com/scim2/filter-parser/v2@v2.3.1
cat >main.go <<'END'
package main

import (
	"fmt"

	filter "github.com/scim2/filter-parser/v2"
)

func main() {
	text := `emails[type eq "work"].value eq "anna@example.com"`
	_, err := filter.ParseFilter([]byte(text))
	fmt.Printf("filter-parser: %s is refused: %t\n", text, err != nil)
}
END
{
	node run.mjs
	go run .
} | tee seen

diff -u --label expected --label seen - seen <<'END'
scimmy: emails[type eq "work"].value eq "anna@example.com" finds anna
scimmy: emails[type eq "work"].value eq "anna@example.org" finds nobody
scim2-parse-filter: emails[type eq "work"].value eq "anna@example.com" finds anna
scim2-parse-filter: emails[type eq "work"].value eq "anna@example.org" finds anna
scim-query-filter-parser: emails[type eq "work"].value eq "anna@example.com" is refused: Failed to parse!
scim-query-filter-parser: emails[type eq "work"].value eq "anna@example.org" is refused: Failed to parse!
filter-parser: emails[type eq "work"].value eq "anna@example.com" is refused: true
END
