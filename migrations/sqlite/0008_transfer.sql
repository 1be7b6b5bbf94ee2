-- +goose Up

-- The same as in mysql/0008_transfer.sql, which explains it.

ALTER TABLE store_head ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;

CREATE TABLE departure (
  id       BLOB    NOT NULL PRIMARY KEY,
  node     BLOB    NOT NULL,
  path     BLOB    NOT NULL,
  home     BLOB    NOT NULL,
  to_store BLOB    NOT NULL,
  to_path  BLOB    NOT NULL,
  actor    BLOB    NOT NULL,
  at_us    INTEGER NOT NULL,
  holder   BLOB    NOT NULL,
  until_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE arrival (
  id    BLOB    NOT NULL PRIMARY KEY,
  node  BLOB    NOT NULL,
  state INTEGER NOT NULL,
  seq   INTEGER NOT NULL,
  at_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX k_arrived ON arrival (node);
