-- +goose Up
-- apart keeps a resource apart from others with its key. It is empty for the resource that has the key alone or had it first, and the
-- resource's own id for one that was let in beside. An older server writes nothing here, so it refuses a key that an ordinary
-- resource has.
ALTER TABLE resources ADD COLUMN apart BLOB NOT NULL DEFAULT x'';
CREATE UNIQUE INDEX resources_key_apart ON resources (kind, key, apart);
CREATE INDEX resources_apart ON resources (kind, key) WHERE apart <> x'';
DROP INDEX resources_key;

-- Keys that are not ASCII, which alone may be of an earlier version: each start looks for those.
CREATE INDEX resources_key_not_ascii ON resources (kind, id) WHERE length(key) <> length(CAST(key AS TEXT));

-- Which members of the group the change added and removed, as store.EncodeMemberChanges writes them. NULL where none changed, where they are
-- too many to be listed, and in what an older server wrote.
ALTER TABLE log ADD COLUMN members BLOB;
-- Entries with a long list, more than 100 members, of which fewer are kept than of others.
CREATE INDEX log_long ON log (sequence) WHERE length(members) > 1700;
