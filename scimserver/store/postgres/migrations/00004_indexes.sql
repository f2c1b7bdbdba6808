-- +goose Up
CREATE UNIQUE INDEX resources_key_apart ON main.resources (kind, key, apart);
CREATE INDEX resources_apart ON main.resources (kind, key) WHERE apart <> '';
-- CASCADE, because CockroachDB takes a unique index for a constraint.
DROP INDEX main.resources_key CASCADE;

-- Keys that are not ASCII, which alone may be of an earlier version: each start looks for those.
CREATE INDEX resources_key_not_ascii ON main.resources (kind, id) WHERE length(encode(key, 'escape')) <> length(key);

-- Entries with a long list, more than 100 members, of which fewer are kept than of others.
CREATE INDEX log_long ON main.log (sequence) WHERE octet_length(members) > 1700;
