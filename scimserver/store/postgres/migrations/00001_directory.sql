-- +goose Up

-- One narrow row each, so that walking and counting never touch a document. Ids are the 16 bytes of a UUID, keys are made by
-- the application and compared as bytes; times are microseconds since 1970 UTC.
CREATE TABLE main.resources (
    kind        smallint NOT NULL,
    id          bytea    NOT NULL,
    key         bytea    NOT NULL,
    external_id bytea,
    active      boolean  NOT NULL,
    version     bigint   NOT NULL,
    created     bigint   NOT NULL,
    modified    bigint   NOT NULL,
    defaults    text     NOT NULL,
    matched     text     NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE UNIQUE INDEX resources_key ON main.resources (kind, key);
CREATE INDEX resources_external_id ON main.resources (kind, external_id, id) WHERE external_id IS NOT NULL;
CREATE INDEX resources_modified ON main.resources (kind, modified, id);

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
    count       bigint   NOT NULL
);

CREATE UNIQUE INDEX log_sequence ON main.log (sequence);
CREATE INDEX log_unnumbered ON main.log (id) WHERE sequence IS NULL;

-- One row: the last sequence that was given. Whoever gives sequences locks it.
CREATE TABLE main.log_end (
    one  smallint NOT NULL PRIMARY KEY,
    last bigint   NOT NULL
);

INSERT INTO main.log_end (one, last) VALUES (1, 0);

CREATE TABLE main.meta (
    key   text NOT NULL PRIMARY KEY,
    value text NOT NULL
);
