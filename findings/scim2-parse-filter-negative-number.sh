#!/usr/bin/env bash
# scim2-parse-filter understands a negative number only at the end of a filter or of a value path.
#
# In parentheses, or with "and" behind it, the same comparison is a syntax error.
# Why it matters: a filter that passed every test alone fails when a client joins it with another; SCIM servers in
# Node.js (scim-patch uses this parser too) answer 400. Tenantry's filters know JSON's numbers wherever a value may
# stand.
# Seen with scim2-parse-filter 0.2.10. Needs node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --prefix . scim2-parse-filter@0.2.10
npm ls --prefix . | tail -n +2
cat >run.js <<'END'
const { parse } = require('scim2-parse-filter');
for (const filter of [
  'balance eq -1', 'accounts[balance eq -1]', 'active eq true and balance eq -1',
  'balance eq -1 and active eq true', '(balance eq -1)', 'balance eq 1 and active eq true',
]) {
  try {
    parse(filter);
    console.log(`${filter}: understood`);
  } catch (error) {
    console.log(`${filter}: ${error.message}`);
  }
}
END
node run.js | tee seen

diff -u --label expected --label seen - seen <<'END'
balance eq -1: understood
accounts[balance eq -1]: understood
active eq true and balance eq -1: understood
balance eq -1 and active eq true: unexpected token -1 and active eq true
(balance eq -1): unexpected token -1)
balance eq 1 and active eq true: understood
END
