#!/usr/bin/env bash
# scim-patch finds a member by all of its keys, so a member that the server stored with a display name is never removed.
#
# {"value":"1"} is another member than {"value":"1","display":"Anna"}: remove leaves it, and add puts it there twice. A
# first member that is sent alone becomes an object in the place of a list, and the second member overwrites it.
# Why it matters: Entra ID removes members in this form, and takes the success that it is told for access taken away.
# Tenantry's server compares members by value alone, and takes one member for a list of one.
# Seen with scim-patch 0.8.3. Needs node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --prefix . scim-patch@0.8.3
npm ls --prefix . | tail -n +2
cat >run.js <<'END'
const { scimPatch } = require('scim-patch');
const patch = (group, ...operations) => {
  for (const operation of operations) {
    console.log(JSON.stringify(operation));
    try {
      group = scimPatch(group, [operation]);
      console.log('  ' + JSON.stringify(group));
    } catch (error) {
      console.log('  ' + error.message);
    }
  }
};
const members = [{ value: '1', display: 'Anna' }];
patch({ members },
  { op: 'remove', path: 'members', value: [{ value: '1' }] },
  { op: 'add', path: 'members', value: [{ value: '1' }] });
patch({ members }, { op: 'remove', path: 'members[value eq "1"]' });
patch({ displayName: 'Buyers' },
  { op: 'add', path: 'members', value: { value: '1' } },
  { op: 'add', path: 'members', value: { value: '2' } });
END
node run.js | tee seen

diff -u --label expected --label seen - seen <<'END'
{"op":"remove","path":"members","value":[{"value":"1"}]}
  {"members":[{"value":"1","display":"Anna"}]}
{"op":"add","path":"members","value":[{"value":"1"}]}
  {"members":[{"value":"1","display":"Anna"},{"value":"1"}]}
{"op":"remove","path":"members[value eq \"1\"]"}
  {}
{"op":"add","path":"members","value":{"value":"1"}}
  {"displayName":"Buyers","members":{"value":"1"}}
{"op":"add","path":"members","value":{"value":"2"}}
  {"displayName":"Buyers","members":{"value":"2"}}
END
