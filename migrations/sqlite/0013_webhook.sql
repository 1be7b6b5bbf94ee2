-- +goose Up

-- See mysql/0013_webhook.sql.

CREATE TABLE webhook (
  id BLOB NOT NULL PRIMARY KEY,
  name BLOB NOT NULL,
  url BLOB NOT NULL,
  store BLOB NOT NULL,
  path BLOB NOT NULL,
  actions BLOB NOT NULL,
  secret BLOB NOT NULL,
  enabled INTEGER NOT NULL,
  owner BLOB NOT NULL,
  owner_name BLOB NOT NULL,
  rev INTEGER NOT NULL,
  created_us INTEGER NOT NULL,
  changed_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE webhook_state (
  webhook BLOB NOT NULL PRIMARY KEY,
  rev INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  item INTEGER NOT NULL,
  mark INTEGER NOT NULL,
  waiting BLOB NOT NULL,
  failures INTEGER NOT NULL,
  failing_us INTEGER NOT NULL,
  next_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE webhook_delivery (
  webhook BLOB NOT NULL,
  id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  state INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  item INTEGER NOT NULL,
  mark INTEGER NOT NULL,
  action BLOB NOT NULL,
  path BLOB NOT NULL,
  attempts INTEGER NOT NULL,
  first_us INTEGER NOT NULL,
  last_us INTEGER NOT NULL,
  duration_us INTEGER NOT NULL,
  status INTEGER NOT NULL,
  answer BLOB NOT NULL,
  fault BLOB NOT NULL,
  PRIMARY KEY (webhook, id)
) WITHOUT ROWID;
