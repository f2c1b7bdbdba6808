#!/usr/bin/env bash
# scim-query-filter-parser forgets the first of three comparisons that are joined by "and".
#
# "a and b and c" finds what "b and c" finds: a condition that is added to find less finds more. Two comparisons are
# right, and so are three with parentheses around two of them.
# Why it matters: an application that narrows a look-up gets people whom it did not ask for. Tenantry's filters are
# tested by what they find.
# Seen with scim-query-filter-parser 2.0.4. Needs node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --prefix . scim-query-filter-parser@2.0.4
npm ls --prefix . | tail -n +2
cat >run.js <<'END'
const { compileFilter } = require('scim-query-filter-parser');
const users = [
  { userName: 'anna', city: 'Oslo', title: 'Buyer', locale: 'nb-NO' },
  { userName: 'berit', city: 'Bergen', title: 'Buyer', locale: 'nb-NO' },
];
for (const filter of [
  'city eq "Oslo"',
  'city eq "Oslo" and title eq "Buyer"',
  'city eq "Oslo" and title eq "Buyer" and locale eq "nb-NO"',
  'city eq "Oslo" and (title eq "Buyer" and locale eq "nb-NO")',
  'title eq "Buyer" and locale eq "nb-NO" and city eq "Oslo"',
]) {
  console.log(`${filter}: ${users.filter(compileFilter(filter)).map((user) => user.userName).join(', ')}`);
}
END
node run.js | tee seen

diff -u --label expected --label seen - seen <<'END'
city eq "Oslo": anna
city eq "Oslo" and title eq "Buyer": anna
city eq "Oslo" and title eq "Buyer" and locale eq "nb-NO": anna, berit
city eq "Oslo" and (title eq "Buyer" and locale eq "nb-NO"): anna
title eq "Buyer" and locale eq "nb-NO" and city eq "Oslo": anna, berit
END
