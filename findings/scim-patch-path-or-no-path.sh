#!/usr/bin/env bash
# In scim-patch the same PATCH means two things, depending on whether its target is the path or a key of the value.
#
# Replacing a part of a name keeps the other parts with path "name", and loses them without path. Adding a role that is
# there already changes nothing with path "roles", and doubles it without path.
# Why it matters: RFC 7644 section 3.5.2.3 keeps the parts that are not named, and Entra ID sends the one form or the
# other, depending on its dialect. Tenantry's server treats both alike.
# Seen with scim-patch 0.8.3. Needs node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --prefix . scim-patch@0.8.3
npm ls --prefix . | tail -n +2
cat >run.js <<'END'
const { scimPatch } = require('scim-patch');
const patch = (operation) => {
  const user = { name: { givenName: 'Anna', familyName: 'Ek' }, roles: [{ value: 'approver' }] };
  console.log(JSON.stringify(operation));
  console.log('  ' + JSON.stringify(scimPatch(user, [operation])));
};
patch({ op: 'replace', path: 'name', value: { givenName: 'Ann' } });
patch({ op: 'replace', value: { name: { givenName: 'Ann' } } });
patch({ op: 'add', path: 'roles', value: [{ value: 'approver' }] });
patch({ op: 'add', value: { roles: [{ value: 'approver' }] } });
END
node run.js | tee seen

diff -u --label expected --label seen - seen <<'END'
{"op":"replace","path":"name","value":{"givenName":"Ann"}}
  {"name":{"givenName":"Ann","familyName":"Ek"},"roles":[{"value":"approver"}]}
{"op":"replace","value":{"name":{"givenName":"Ann"}}}
  {"name":{"givenName":"Ann"},"roles":[{"value":"approver"}]}
{"op":"add","path":"roles","value":[{"value":"approver"}]}
  {"name":{"givenName":"Anna","familyName":"Ek"},"roles":[{"value":"approver"}]}
{"op":"add","value":{"roles":[{"value":"approver"}]}}
  {"name":{"givenName":"Anna","familyName":"Ek"},"roles":[{"value":"approver"},{"value":"approver"}]}
END
