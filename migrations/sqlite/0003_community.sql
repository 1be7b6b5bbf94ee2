-- +goose Up

-- The same tables as in mysql/0003_community.sql, which explains them.

CREATE TABLE tagging (
  node  BLOB    NOT NULL,
  tag   BLOB    NOT NULL,
  who   BLOB    NOT NULL,
  at_us INTEGER NOT NULL,
  PRIMARY KEY (node, tag, who)
) WITHOUT ROWID;

CREATE TABLE tag (
  node BLOB    NOT NULL,
  tag  BLOB    NOT NULL,
  uses INTEGER NOT NULL,
  PRIMARY KEY (node, tag)
) WITHOUT ROWID;

CREATE INDEX k_tag ON tag (tag, node);

CREATE TABLE tag_use (
  tag  BLOB    NOT NULL PRIMARY KEY,
  uses INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX k_uses ON tag_use (uses, tag);

CREATE TABLE comment (
  node       BLOB    NOT NULL,
  thread     INTEGER NOT NULL,
  n          INTEGER NOT NULL,
  reply_to   INTEGER NOT NULL,
  rev        INTEGER NOT NULL,
  deleted    INTEGER NOT NULL,
  author     BLOB    NOT NULL,
  created_us INTEGER NOT NULL,
  edited_by  BLOB    NOT NULL,
  edited_us  INTEGER NOT NULL,
  body       BLOB    NOT NULL,
  PRIMARY KEY (node, thread, n)
) WITHOUT ROWID;

CREATE UNIQUE INDEX u_comment ON comment (node, n);

CREATE TABLE rating (
  node  BLOB    NOT NULL,
  who   BLOB    NOT NULL,
  score INTEGER NOT NULL,
  at_us INTEGER NOT NULL,
  PRIMARY KEY (node, who)
) WITHOUT ROWID;

CREATE TABLE rating_sum (
  node  BLOB    NOT NULL PRIMARY KEY,
  votes INTEGER NOT NULL,
  total INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE association (
  src        BLOB    NOT NULL,
  out_key    BLOB    NOT NULL,
  dst        BLOB,
  in_key     BLOB    NOT NULL,
  type       BLOB    NOT NULL,
  uri        BLOB,
  created_us INTEGER NOT NULL,
  created_by BLOB    NOT NULL,
  PRIMARY KEY (src, out_key)
) WITHOUT ROWID;

CREATE INDEX k_dst ON association (dst, in_key);
