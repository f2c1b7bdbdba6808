-- +goose Up
-- What keeps a resource apart from others with its key: empty for the one that has the key alone or had it first, its own id for
-- one that was let in beside. An older server writes nothing here, so it goes on to refuse what has the key of another.
ALTER TABLE resources ADD COLUMN apart BLOB NOT NULL DEFAULT x'';
CREATE UNIQUE INDEX resources_key_apart ON resources (kind, key, apart);
CREATE INDEX resources_apart ON resources (kind, key) WHERE apart <> x'';
DROP INDEX resources_key;
