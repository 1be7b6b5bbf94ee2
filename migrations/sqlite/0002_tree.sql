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

CREATE TABLE suspect (
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

INSERT OR IGNORE INTO trash (node, state, path, actor, at_us)
SELECT i.node, 1, CAST('/' || CAST(i.name AS TEXT) AS BLOB), t.actor, t.at_us FROM txn_item i JOIN txn t ON t.seq = i.seq JOIN node n ON n.id = i.node
WHERE i.act = 3 AND n.parent = x'00000000000000000000000000000002';
