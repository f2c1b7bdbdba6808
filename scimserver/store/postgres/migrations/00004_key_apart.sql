-- +goose Up
CREATE UNIQUE INDEX resources_key_apart ON resources (kind, key, apart);
CREATE INDEX resources_apart ON resources (kind, key) WHERE apart <> '';
-- CASCADE, because CockroachDB takes a unique index for a constraint.
DROP INDEX resources_key CASCADE;
