-- +goose Up
-- All tables of a new directory, as the migrations up to this version make them one after the other. They are sent at once.
-- +goose StatementBegin

-- One narrow row each, so that walking and counting never touch a document. Ids are the 16 bytes of a UUID, keys are made by
-- the application and compared as bytes; times are microseconds since 1970 UTC.
--
-- deactivated is since when a user is inactive, and deactivated_version the version that was written with it. apart is empty for the resource
-- that has the key alone or had it first, and the resource's own id for one that was let in beside.
CREATE TABLE main.resources (
    kind                smallint NOT NULL,
    id                  bytea    NOT NULL,
    key                 bytea    NOT NULL,
    external_id         bytea,
    active              boolean  NOT NULL,
    version             bigint   NOT NULL,
    created             bigint   NOT NULL,
    modified            bigint   NOT NULL,
    defaults            text     NOT NULL,
    matched             text     NOT NULL,
    deactivated         bigint,
    deactivated_version bigint,
    apart               bytea    NOT NULL DEFAULT '',
    PRIMARY KEY (kind, id)
);

CREATE UNIQUE INDEX resources_key_apart ON main.resources (kind, key, apart);
CREATE INDEX resources_apart ON main.resources (kind, key) WHERE apart <> '';
CREATE INDEX resources_external_id ON main.resources (kind, external_id, id) WHERE external_id IS NOT NULL;
CREATE INDEX resources_modified ON main.resources (kind, modified, id);
CREATE INDEX resources_inactive ON main.resources (kind, id) WHERE NOT active;
-- Keys that are not ASCII, which alone may be of an earlier version: each start looks for those.
CREATE INDEX resources_key_not_ascii ON main.resources (kind, id) WHERE length(encode(key, 'escape')) <> length(key);

-- paths and keys are the resource's rows in attributes, to know what to remove when it changes.
CREATE TABLE main.documents (
    kind     smallint NOT NULL,
    id       bytea    NOT NULL,
    document bytea    NOT NULL,
    overlay  bytea,
    paths    bigint[] NOT NULL,
    keys     bytea[]  NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE TABLE main.members (
    group_id  bytea    NOT NULL,
    member_id bytea    NOT NULL,
    kind      smallint NOT NULL,
    PRIMARY KEY (group_id, member_id)
);

CREATE INDEX members_member ON main.members (member_id, group_id);

CREATE TABLE main.attributes (
    path     bigint NOT NULL,
    key      bytea  NOT NULL,
    resource bytea  NOT NULL,
    PRIMARY KEY (path, key, resource)
);

-- An entry gets its sequence after it was committed, from whoever reads the log next: the order in which transactions ask for
-- numbers is not the order in which they commit.
--
-- members are those that a change of a group added and removed, as store.EncodeMemberChanges writes them. NULL where none changed, where they
-- are too many to be listed, and in what a replica of the version before writes.
CREATE TABLE main.log (
    id          bytea    NOT NULL PRIMARY KEY,
    sequence    bigint,
    time        bigint   NOT NULL,
    client      text     NOT NULL,
    request_id  text     NOT NULL,
    kind        smallint NOT NULL,
    resource_id text     NOT NULL,
    operation   text     NOT NULL,
    attributes  text     NOT NULL,
    defaults    text     NOT NULL,
    outcome     text     NOT NULL,
    count       bigint   NOT NULL,
    members     bytea
);

CREATE UNIQUE INDEX log_sequence ON main.log (sequence);
CREATE INDEX log_unnumbered ON main.log (id) WHERE sequence IS NULL;
-- Entries with a long list, more than 100 members, of which fewer are kept than of others.
CREATE INDEX log_long ON main.log (sequence) WHERE octet_length(members) > 1700;

-- One row: the last sequence that was given. A transaction that gives sequences locks it.
CREATE TABLE main.log_end (
    one  smallint NOT NULL PRIMARY KEY,
    last bigint   NOT NULL
);

INSERT INTO main.log_end (one, last) VALUES (1, 0);

-- A transaction that gives a group a name locks the row that the name chooses. Of two that give groups one name at once, the second
-- sees what the first has committed.
CREATE TABLE main.name_locks (
    slot smallint NOT NULL PRIMARY KEY
);

INSERT INTO main.name_locks (slot) SELECT generate_series(0, 63);

CREATE TABLE main.meta (
    key   text NOT NULL PRIMARY KEY,
    value text NOT NULL
);

-- The migrations that these tables stand for.
INSERT INTO main.goose_db_version (version_id, is_applied) VALUES (1, TRUE), (2, TRUE), (3, TRUE);
-- +goose StatementEnd
