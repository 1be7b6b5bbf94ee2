-- +goose Up

-- The same as in mysql/0004_history.sql, which explains it.

ALTER TABLE version ADD COLUMN comment BLOB NOT NULL DEFAULT x'';

CREATE INDEX IF NOT EXISTS k_at ON version (node, seq);

CREATE TABLE label (
  node   BLOB    NOT NULL,
  label  BLOB    NOT NULL,
  n      INTEGER NOT NULL,
  seq    INTEGER NOT NULL,
  set_by BLOB    NOT NULL,
  set_us INTEGER NOT NULL,
  PRIMARY KEY (node, label)
) WITHOUT ROWID;

CREATE TABLE dirent_hist (
  parent    BLOB    NOT NULL,
  name      BLOB    NOT NULL,
  until_seq INTEGER NOT NULL,
  node      BLOB    NOT NULL,
  PRIMARY KEY (parent, name, until_seq)
) WITHOUT ROWID;

CREATE INDEX k_left ON dirent_hist (node, until_seq);

INSERT OR IGNORE INTO dirent_hist (parent, name, until_seq, node)
SELECT parent, name, seq, node FROM txn_item WHERE act IN (3, 20);

INSERT OR IGNORE INTO dirent_hist (parent, name, until_seq, node)
SELECT x'00000000000000000000000000000002', node, seq, node FROM txn_item WHERE act IN (22, 23);

CREATE TABLE gap (
  node BLOB    NOT NULL,
  n    INTEGER NOT NULL,
  seq  INTEGER NOT NULL,
  PRIMARY KEY (node, n)
) WITHOUT ROWID;

CREATE TABLE retention (
  node      BLOB    NOT NULL PRIMARY KEY,
  keep_last INTEGER NOT NULL,
  keep_days INTEGER NOT NULL,
  seq       INTEGER NOT NULL,
  set_by    BLOB    NOT NULL,
  set_us    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE checkpoint (
  node    BLOB    NOT NULL,
  name    BLOB    NOT NULL,
  seq     INTEGER NOT NULL,
  comment BLOB    NOT NULL,
  set_by  BLOB    NOT NULL,
  set_us  INTEGER NOT NULL,
  PRIMARY KEY (node, name)
) WITHOUT ROWID;

CREATE TABLE suspect_meta (
  sha  BLOB    NOT NULL PRIMARY KEY,
  mark INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE lease (
  name     BLOB    NOT NULL PRIMARY KEY,
  holder   BLOB    NOT NULL,
  until_us INTEGER NOT NULL
) WITHOUT ROWID;
