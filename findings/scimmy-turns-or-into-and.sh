#!/usr/bin/env bash
# scimmy reads "or" in parentheses within a value path as "and", and refuses parentheses within parentheses.
#
# emails[(type eq "work" or type eq "home") and value sw "anna"] asks for an address of both types, so nobody is found.
# With both cases written out the answer is right.
# Why it matters: both filters are valid by RFC 7644 section 3.4.2.2, and programs that build filters put parentheses
# around every part to be safe. Tenantry's filters keep the grouping, up to 32 levels deep.
# Seen with scimmy 1.3.5. Needs node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --prefix . scimmy@1.3.5
npm ls --prefix . | tail -n +2
cat >run.mjs <<'END'
import SCIMMY from 'scimmy';
const users = [{ userName: 'anna', title: 'Buyer', emails: [{ type: 'home', value: 'anna@example.org' }] }];
for (const filter of [
  'emails[type eq "work" or type eq "home"]',
  'emails[(type eq "work" or type eq "home") and value sw "anna"]',
  'emails[(type eq "work" and value sw "anna") or (type eq "home" and value sw "anna")]',
  'emails[type eq "work" and value sw "anna" or type eq "home" and value sw "anna"]',
  '(title eq "Buyer" or title eq "Seller") and userName eq "anna"',
  '((title eq "Buyer" or title eq "Seller") and userName eq "anna")',
]) {
  try {
    const found = new SCIMMY.Types.Filter(filter).match(users);
    console.log(`${filter}: ${found.length} of 1`);
  } catch (error) {
    console.log(`${filter}: ${error.message}`);
  }
}
END
node run.mjs | tee seen

diff -u --label expected --label seen - seen <<'END'
emails[type eq "work" or type eq "home"]: 1 of 1
emails[(type eq "work" or type eq "home") and value sw "anna"]: 0 of 1
emails[(type eq "work" and value sw "anna") or (type eq "home" and value sw "anna")]: 1 of 1
emails[type eq "work" and value sw "anna" or type eq "home" and value sw "anna"]: 1 of 1
(title eq "Buyer" or title eq "Seller") and userName eq "anna": 1 of 1
((title eq "Buyer" or title eq "Seller") and userName eq "anna"): Unexpected token ')' in filter
END
