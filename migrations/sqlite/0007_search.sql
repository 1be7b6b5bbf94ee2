-- +goose Up

-- The same tables as in mysql/0007_search.sql, which explains them.

CREATE TABLE search_todo (
  node BLOB    NOT NULL PRIMARY KEY,
  seq  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE search_state (
  id       INTEGER NOT NULL PRIMARY KEY,
  next_doc INTEGER NOT NULL,
  seen     BLOB    NOT NULL,
  complete INTEGER NOT NULL
);

CREATE TABLE search_doc (
  doc   INTEGER NOT NULL PRIMARY KEY,
  node  BLOB    NOT NULL,
  facts BLOB    NOT NULL
);

CREATE UNIQUE INDEX u_doc ON search_doc (node);

CREATE TABLE search_block (
  block INTEGER NOT NULL PRIMARY KEY,
  docs  INTEGER NOT NULL
);

CREATE TABLE search_term (
  term  BLOB    NOT NULL,
  block INTEGER NOT NULL,
  docs  BLOB    NOT NULL,
  PRIMARY KEY (term, block)
) WITHOUT ROWID;

CREATE INDEX k_block ON search_term (block);

CREATE TABLE search_text (
  sha    BLOB    NOT NULL,
  format INTEGER NOT NULL,
  data   BLOB    NOT NULL,
  PRIMARY KEY (sha, format)
);

CREATE TABLE search_saved (
  owner  BLOB    NOT NULL,
  name   BLOB    NOT NULL,
  shared INTEGER NOT NULL,
  query  BLOB    NOT NULL,
  rev    INTEGER NOT NULL,
  at_us  INTEGER NOT NULL,
  PRIMARY KEY (owner, name)
) WITHOUT ROWID;

CREATE INDEX k_shared ON search_saved (shared, owner, name);

INSERT INTO search_state (id, next_doc, seen, complete)
SELECT 1, 1024, x'00000000000000000000000000000000', CASE WHEN COUNT(*) <= 2 THEN 1 ELSE 0 END FROM node;
