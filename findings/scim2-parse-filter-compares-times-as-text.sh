#!/usr/bin/env bash
# scim2-parse-filter compares dateTime values as text, so an offset or a fraction of a second changes the order of time.
#
# 22:30Z is half an hour later than midnight at +02:00, and is not found by "gt"; a second with .000 is not "ge" itself.
# Why it matters: an application that asks for what has changed since its last visit, in its own offset, misses people.
# Tenantry's server compares moments.
# Seen with scim2-parse-filter 0.2.10. Needs node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --prefix . scim2-parse-filter@0.2.10
npm ls --prefix . | tail -n +2
cat >run.js <<'END'
const { parse, filter } = require('scim2-parse-filter');
for (const [stored, operator, asked] of [
  ['2026-01-31T22:30:00Z', 'gt', '2026-01-31T22:00:00Z'],
  ['2026-01-31T22:30:00Z', 'gt', '2026-02-01T00:00:00+02:00'],
  ['2026-01-31T22:30:00Z', 'ge', '2026-01-31T22:30:00Z'],
  ['2026-01-31T22:30:00.000Z', 'ge', '2026-01-31T22:30:00Z'],
]) {
  const found = filter(parse(`meta.lastModified ${operator} "${asked}"`))({ meta: { lastModified: stored } });
  console.log(`${stored} ${operator} ${asked}: ${found}`);
}
END
node run.js | tee seen

diff -u --label expected --label seen - seen <<'END'
2026-01-31T22:30:00Z gt 2026-01-31T22:00:00Z: true
2026-01-31T22:30:00Z gt 2026-02-01T00:00:00+02:00: false
2026-01-31T22:30:00Z ge 2026-01-31T22:30:00Z: true
2026-01-31T22:30:00.000Z ge 2026-01-31T22:30:00Z: false
END
