-- +goose Up
-- Keys that are not ASCII, which alone may be of an earlier version: each start looks for those.
CREATE INDEX resources_key_not_ascii ON resources (kind, id) WHERE length(key) <> length(CAST(key AS TEXT));
