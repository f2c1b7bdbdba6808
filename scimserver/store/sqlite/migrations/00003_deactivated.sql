-- +goose Up
-- Since when a user is inactive, in microseconds since 1970 UTC, and the version that was written with it. With another version an
-- older server has written since, which knows nothing of this, or there was nothing to remember: then it is since the last change.
ALTER TABLE resources ADD COLUMN deactivated INTEGER;
ALTER TABLE resources ADD COLUMN deactivated_version INTEGER;
CREATE INDEX resources_inactive ON resources (kind, id) WHERE NOT active;
