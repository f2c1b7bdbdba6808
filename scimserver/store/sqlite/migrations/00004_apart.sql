-- +goose Up
-- apart keeps a resource apart from others with its key. It is empty for the resource that has the key alone or had it first, and the
-- resource's own id for one that was let in beside. An older server writes nothing here, so it refuses a key that an ordinary
-- resource has.
ALTER TABLE resources ADD COLUMN apart BLOB NOT NULL DEFAULT x'';
CREATE UNIQUE INDEX resources_key_apart ON resources (kind, key, apart);
CREATE INDEX resources_apart ON resources (kind, key) WHERE apart <> x'';
DROP INDEX resources_key;
