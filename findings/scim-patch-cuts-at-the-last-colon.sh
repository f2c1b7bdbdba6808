#!/usr/bin/env bash
# scim-patch takes all text before the last colon for a schema's URN, even inside that URN and inside quotes.
#
# An extension sent as an object under its URN is stored beside the extension, below a URN without its last word, and
# removing the URN removes nothing, both without an error. A colon in the quoted value of a path is an error.
# Why it matters: a server built on it reports success and keeps the old department. Clients that met it send another
# form, "URN:department" as a key; Tenantry's server understands both forms, and colons in quotes.
# Seen with scim-patch 0.8.3. Needs node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --prefix . scim-patch@0.8.3
npm ls --prefix . | tail -n +2
cat >run.js <<'END'
const { scimPatch } = require('scim-patch');
const extension = 'urn:example:erp:2.0:User';
const patch = (operation) => {
  const user = { roles: [{ value: 'erp:buyer' }], [extension]: { department: 'Sales' } };
  console.log(JSON.stringify(operation));
  try {
    console.log('  ' + JSON.stringify(scimPatch(user, [operation])));
  } catch (error) {
    console.log('  ' + error.message);
  }
};
patch({ op: 'replace', value: { [extension]: { department: 'IT' } } });
patch({ op: 'replace', value: { [`${extension}:department`]: 'IT' } });
patch({ op: 'remove', path: extension });
patch({ op: 'remove', path: 'roles[value sw "erp"]' });
patch({ op: 'remove', path: 'roles[value eq "erp:buyer"]' });
END
node run.js | tee seen

diff -u --label expected --label seen - seen <<'END'
{"op":"replace","value":{"urn:example:erp:2.0:User":{"department":"IT"}}}
  {"roles":[{"value":"erp:buyer"}],"urn:example:erp:2.0:User":{"department":"Sales"},"urn:example:erp:2.0":{"User":{"department":"IT"}}}
{"op":"replace","value":{"urn:example:erp:2.0:User:department":"IT"}}
  {"roles":[{"value":"erp:buyer"}],"urn:example:erp:2.0:User":{"department":"IT"}}
{"op":"remove","path":"urn:example:erp:2.0:User"}
  {"roles":[{"value":"erp:buyer"}],"urn:example:erp:2.0:User":{"department":"Sales"}}
{"op":"remove","path":"roles[value sw \"erp\"]"}
  {"urn:example:erp:2.0:User":{"department":"Sales"}}
{"op":"remove","path":"roles[value eq \"erp:buyer\"]"}
  Invalid SCIM Patch: This part of the path roles[value eq "erp is invalid for SCIM patch request.
END
