-- +goose Up
-- All tables of a new directory, as the migrations up to this version make them one after the other.
-- +goose StatementBegin

-- One narrow row each, so that walking and counting never touch a document. Times are microseconds since 1970 UTC.
--
-- deactivated is since when a user is inactive, and deactivated_version the version that was written with it. apart is empty for the resource
-- that has the key alone or had it first, and the resource's own id for one that was let in beside.
CREATE TABLE resources (
    row                 INTEGER PRIMARY KEY,
    kind                INTEGER NOT NULL,
    id                  BLOB    NOT NULL,
    key                 BLOB    NOT NULL,
    external_id         BLOB,
    active              INTEGER NOT NULL,
    version             INTEGER NOT NULL,
    created             INTEGER NOT NULL,
    modified            INTEGER NOT NULL,
    defaults            TEXT    NOT NULL,
    matched             TEXT    NOT NULL,
    deactivated         INTEGER,
    deactivated_version INTEGER,
    apart               BLOB    NOT NULL DEFAULT x''
) STRICT;

CREATE UNIQUE INDEX resources_id ON resources (kind, id);
CREATE UNIQUE INDEX resources_key_apart ON resources (kind, key, apart);
CREATE INDEX resources_apart ON resources (kind, key) WHERE apart <> x'';
CREATE INDEX resources_external_id ON resources (kind, external_id, id) WHERE external_id IS NOT NULL;
CREATE INDEX resources_modified ON resources (kind, modified, id);
CREATE INDEX resources_inactive ON resources (kind, id) WHERE NOT active;
-- Keys that are not ASCII, which alone may be of an earlier version: each start looks for those.
CREATE INDEX resources_key_not_ascii ON resources (kind, id) WHERE length(key) <> length(CAST(key AS TEXT));

-- keys are the resource's rows in attributes, to know what to remove when it changes.
CREATE TABLE documents (
    row      INTEGER PRIMARY KEY,
    document BLOB NOT NULL,
    overlay  BLOB,
    keys     BLOB NOT NULL
) STRICT;

CREATE TABLE members (
    group_id  BLOB    NOT NULL,
    member_id BLOB    NOT NULL,
    kind      INTEGER NOT NULL,
    PRIMARY KEY (group_id, member_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_member ON members (member_id);

CREATE TABLE paths (
    id   INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    name TEXT    NOT NULL,
    UNIQUE (kind, name)
) STRICT;

CREATE TABLE attributes (
    path     INTEGER NOT NULL,
    key      BLOB    NOT NULL,
    resource BLOB    NOT NULL,
    PRIMARY KEY (path, key, resource)
) STRICT, WITHOUT ROWID;

-- count is how many requests a row stands for; what an older server writes stands for one. members are those that a change of a group added
-- and removed, as store.EncodeMemberChanges writes them. NULL where none changed, where they are too many to be listed, and in what an older
-- server wrote.
CREATE TABLE log (
    sequence    INTEGER PRIMARY KEY,
    time        INTEGER NOT NULL,
    client      TEXT    NOT NULL,
    request_id  TEXT    NOT NULL,
    kind        INTEGER NOT NULL,
    resource_id TEXT    NOT NULL,
    operation   TEXT    NOT NULL,
    attributes  TEXT    NOT NULL,
    defaults    TEXT    NOT NULL,
    outcome     TEXT    NOT NULL,
    count       INTEGER NOT NULL DEFAULT 1,
    members     BLOB
) STRICT;

-- Entries with a long list, more than 100 members, of which fewer are kept than of others.
CREATE INDEX log_long ON log (sequence) WHERE length(members) > 1700;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The migrations that these tables stand for.
INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, TRUE), (2, TRUE), (3, TRUE);
-- +goose StatementEnd
