-- +goose Up
-- Since when a user is inactive, in microseconds since 1970 UTC, and the version that was written with it. With another version a
-- replica of the version before has written since, which knows nothing of this, or there was nothing to remember: then it is
-- since the last change.
ALTER TABLE main.resources ADD COLUMN deactivated bigint;
ALTER TABLE main.resources ADD COLUMN deactivated_version bigint;
CREATE INDEX resources_inactive ON main.resources (kind, id) WHERE NOT active;
