-- +goose Up

-- The same tables as in mysql/0002_tree.sql, which explains them.

CREATE TABLE trash (
  node  BLOB    NOT NULL PRIMARY KEY,
  state INTEGER NOT NULL,
  path  BLOB    NOT NULL,
  actor BLOB    NOT NULL,
  at_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX k_trash ON trash (state, at_us, node);

CREATE TABLE garbage (
  sha  BLOB    NOT NULL PRIMARY KEY,
  mark INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE once (
  id      BLOB    NOT NULL PRIMARY KEY,
  request BLOB    NOT NULL,
  seq     INTEGER NOT NULL,
  answer  BLOB    NOT NULL,
  at_us   INTEGER NOT NULL
);

CREATE INDEX k_once ON once (at_us);

INSERT INTO trash (node, state, path, actor, at_us)
SELECT id, 1, CAST('/' AS BLOB), created_by, created_us FROM node WHERE parent = x'00000000000000000000000000000002';
