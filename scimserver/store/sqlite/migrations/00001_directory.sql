-- +goose Up

-- One narrow row each, so that walking and counting never touch a document. Times are microseconds since 1970 UTC.
CREATE TABLE resources (
    row         INTEGER PRIMARY KEY,
    kind        INTEGER NOT NULL,
    id          BLOB    NOT NULL,
    key         BLOB    NOT NULL,
    external_id BLOB,
    active      INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    created     INTEGER NOT NULL,
    modified    INTEGER NOT NULL,
    defaults    TEXT    NOT NULL,
    matched     TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX resources_id ON resources (kind, id);
CREATE UNIQUE INDEX resources_key ON resources (kind, key);
CREATE INDEX resources_external_id ON resources (kind, external_id, id) WHERE external_id IS NOT NULL;
CREATE INDEX resources_modified ON resources (kind, modified, id);

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
    outcome     TEXT    NOT NULL
) STRICT;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
