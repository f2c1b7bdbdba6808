-- +goose Up
-- Which members of the group the change added and removed, as store.EncodeMemberChanges writes them. NULL where none changed, where they are
-- too many to be listed, and in what a replica of the version before writes.
ALTER TABLE main.log ADD COLUMN members bytea;
-- Entries with a long list, more than 100 members, of which fewer are kept than of others.
CREATE INDEX log_long ON main.log (sequence) WHERE octet_length(members) > 1700;
