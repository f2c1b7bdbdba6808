-- +goose Up
-- Which members of the group the change added and removed, as store.EncodeMemberChanges writes them. NULL where none changed, where they are
-- too many to be listed, and in what an older server wrote.
ALTER TABLE log ADD COLUMN members BLOB;
-- Entries with a long list, more than 100 members, of which fewer are kept than of others.
CREATE INDEX log_long ON log (sequence) WHERE length(members) > 1700;
