-- +goose Up
-- What keeps a resource apart from others with its key: empty for the one that has the key alone or had it first, its own id for
-- one that was let in beside. A replica of the version before writes nothing here, so it goes on to refuse what has the key of another.
ALTER TABLE resources ADD COLUMN apart bytea NOT NULL DEFAULT '';

-- Whoever gives a group a name locks the row that the name falls to, so that of two who do so at once one sees the other.
CREATE TABLE name_locks (
    slot smallint NOT NULL PRIMARY KEY
);

INSERT INTO name_locks (slot) SELECT generate_series(0, 63);
