-- +goose Up
CREATE UNIQUE INDEX resources_key_apart ON main.resources (kind, key, apart);
CREATE INDEX resources_apart ON main.resources (kind, key) WHERE apart <> '';
-- CASCADE, because CockroachDB takes a unique index for a constraint.
DROP INDEX main.resources_key CASCADE;
