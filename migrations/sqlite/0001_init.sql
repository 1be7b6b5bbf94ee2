-- +goose Up

-- The same tables as in mysql/0001_init.sql, which explains them. Names and ids are BLOBs: exact bytes, memcmp order.

CREATE TABLE store_head (
  id    INTEGER NOT NULL PRIMARY KEY,
  seq   INTEGER NOT NULL,
  tag   BLOB    NOT NULL,
  epoch BLOB    NOT NULL
);

CREATE TABLE node (
  id         BLOB    NOT NULL PRIMARY KEY,
  parent     BLOB    NOT NULL,
  name       BLOB    NOT NULL,
  kind       INTEGER NOT NULL,
  cur        INTEGER NOT NULL,
  gen        INTEGER NOT NULL,
  created_us INTEGER NOT NULL,
  created_by BLOB    NOT NULL
) WITHOUT ROWID;

-- An index of its own, since INDEXED BY cannot name the one of a UNIQUE constraint.
CREATE UNIQUE INDEX u_name ON node (parent, name);

CREATE TABLE version (
  node       BLOB    NOT NULL,
  n          INTEGER NOT NULL,
  seq        INTEGER NOT NULL,
  body       BLOB    NOT NULL,
  meta       BLOB    NOT NULL,
  size       INTEGER NOT NULL,
  author     BLOB    NOT NULL,
  created_us INTEGER NOT NULL,
  PRIMARY KEY (node, n)
) WITHOUT ROWID;

CREATE TABLE meta_obj (
  sha  BLOB NOT NULL PRIMARY KEY,
  data BLOB NOT NULL
);

CREATE TABLE blob_obj (
  sha        BLOB    NOT NULL PRIMARY KEY,
  size       INTEGER NOT NULL,
  chunks     INTEGER NOT NULL,
  chunk_size INTEGER NOT NULL,
  small      BLOB,
  chunk_set  BLOB
);

CREATE TABLE blob_chunk (
  chunk_set BLOB    NOT NULL,
  i         INTEGER NOT NULL,
  data      BLOB    NOT NULL,
  PRIMARY KEY (chunk_set, i)
);

CREATE TABLE staged (
  chunk_set BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;

CREATE TABLE txn (
  seq   INTEGER NOT NULL PRIMARY KEY,
  op_id BLOB    NOT NULL,
  tag   BLOB    NOT NULL,
  actor BLOB    NOT NULL,
  at_us INTEGER NOT NULL,
  req   BLOB    NOT NULL
);

CREATE UNIQUE INDEX u_op ON txn (op_id);

CREATE TABLE txn_item (
  seq    INTEGER NOT NULL,
  i      INTEGER NOT NULL,
  act    INTEGER NOT NULL,
  node   BLOB    NOT NULL,
  n      INTEGER NOT NULL,
  parent BLOB    NOT NULL,
  name   BLOB    NOT NULL,
  PRIMARY KEY (seq, i)
) WITHOUT ROWID;

CREATE TABLE account (
  id         BLOB    NOT NULL PRIMARY KEY,
  name       BLOB    NOT NULL,
  password   BLOB    NOT NULL,
  disabled   INTEGER NOT NULL,
  created_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE UNIQUE INDEX u_account ON account (name);

CREATE TABLE session (
  token      BLOB    NOT NULL PRIMARY KEY,
  account    BLOB    NOT NULL,
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX k_expires ON session (expires_us);

INSERT INTO store_head (id, seq, tag, epoch) VALUES (1, 0, zeroblob(16), randomblob(16));

INSERT INTO meta_obj (sha, data)
VALUES (x'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', CAST('{}' AS BLOB));

INSERT INTO node (id, parent, name, kind, cur, gen, created_us, created_by)
SELECT x'00000000000000000000000000000001', zeroblob(16), CAST('root' AS BLOB), 1, 1, 1,
  CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST('system' AS BLOB);

INSERT INTO node (id, parent, name, kind, cur, gen, created_us, created_by)
SELECT x'00000000000000000000000000000002', zeroblob(16), CAST('trash' AS BLOB), 1, 1, 1,
  CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST('system' AS BLOB);

INSERT INTO version (node, n, seq, body, meta, size, author, created_us)
SELECT id, 1, 0, zeroblob(32), x'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', 0, created_by, created_us
FROM node WHERE parent = zeroblob(16);
