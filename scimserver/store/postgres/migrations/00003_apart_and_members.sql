-- +goose Up
-- apart keeps a resource apart from others with its key. It is empty for the resource that has the key alone or had it first, and the
-- resource's own id for one that was let in beside. An older server writes nothing here, so it refuses a key that an ordinary
-- resource has.
ALTER TABLE main.resources ADD COLUMN apart bytea NOT NULL DEFAULT '';

-- A transaction that gives a group a name locks the row that the name chooses. Of two that give groups one name at once, the second
-- sees what the first has committed.
CREATE TABLE main.name_locks (
    slot smallint NOT NULL PRIMARY KEY
);

INSERT INTO main.name_locks (slot) SELECT generate_series(0, 63);

-- Which members of the group the change added and removed, as store.EncodeMemberChanges writes them. NULL where none changed, where they are
-- too many to be listed, and in what a replica of the version before writes.
ALTER TABLE main.log ADD COLUMN members bytea;
