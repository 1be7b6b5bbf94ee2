-- +goose Up

-- The same as in mysql/0005_activity.sql, which explains it.

ALTER TABLE txn ADD COLUMN client BLOB NOT NULL DEFAULT x'';
ALTER TABLE txn ADD COLUMN agent BLOB NOT NULL DEFAULT x'';
CREATE INDEX k_txn_actor ON txn (actor, seq);

ALTER TABLE txn_item ADD COLUMN path BLOB NOT NULL DEFAULT x'';
ALTER TABLE txn_item ADD COLUMN related BLOB NOT NULL DEFAULT x'';
ALTER TABLE txn_item ADD COLUMN body_before BLOB NOT NULL DEFAULT x'';
ALTER TABLE txn_item ADD COLUMN body_after BLOB NOT NULL DEFAULT x'';
CREATE INDEX k_item_node ON txn_item (node, seq, i);

CREATE TABLE access_event (
  id     BLOB    NOT NULL PRIMARY KEY,
  kind   INTEGER NOT NULL,
  times  INTEGER NOT NULL,
  actor  BLOB    NOT NULL,
  client BLOB    NOT NULL,
  agent  BLOB    NOT NULL,
  req    BLOB    NOT NULL,
  path   BLOB    NOT NULL
) WITHOUT ROWID;
