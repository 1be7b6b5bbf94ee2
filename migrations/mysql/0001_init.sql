-- +goose NO TRANSACTION
-- +goose Up

-- MySQL ends a transaction at every DDL statement, so each statement here can run again after a start that was cut short.
-- Names are VARBINARY: exact bytes, one order on every server. Times are microseconds since 1970, UTC.

-- One row: the position of the change log, and a random tag of the transaction that wrote it last.
CREATE TABLE IF NOT EXISTS store_head (
  id    TINYINT    NOT NULL PRIMARY KEY,
  seq   BIGINT     NOT NULL,
  tag   BINARY(16) NOT NULL,
  epoch BINARY(16) NOT NULL
) ENGINE=InnoDB;

-- The tree. cur is the number of the current version; gen grows with every change of the node or of its list of children.
CREATE TABLE IF NOT EXISTS node (
  id         BINARY(16)      NOT NULL PRIMARY KEY,
  parent     BINARY(16)      NOT NULL,
  name       VARBINARY(1020) NOT NULL,
  kind       TINYINT         NOT NULL,
  cur        BIGINT          NOT NULL,
  gen        BIGINT          NOT NULL,
  created_us BIGINT          NOT NULL,
  created_by VARBINARY(1020) NOT NULL,
  UNIQUE KEY u_name (parent, name)
) ENGINE=InnoDB;

-- Append only. body is the hash of the content (zero: none), meta that of the metadata.
CREATE TABLE IF NOT EXISTS version (
  node       BINARY(16)      NOT NULL,
  n          BIGINT          NOT NULL,
  seq        BIGINT          NOT NULL,
  body       BINARY(32)      NOT NULL,
  meta       BINARY(32)      NOT NULL,
  size       BIGINT          NOT NULL,
  author     VARBINARY(1020) NOT NULL,
  created_us BIGINT          NOT NULL,
  PRIMARY KEY (node, n)
) ENGINE=InnoDB;

-- Metadata as canonical JSON, by its hash.
CREATE TABLE IF NOT EXISTS meta_obj (
  sha  BINARY(32) NOT NULL PRIMARY KEY,
  data MEDIUMBLOB NOT NULL
) ENGINE=InnoDB;

-- Contents by their hash: small ones here, larger ones in the chunks of chunk_set.
CREATE TABLE IF NOT EXISTS blob_obj (
  sha        BINARY(32) NOT NULL PRIMARY KEY,
  size       BIGINT     NOT NULL,
  chunks     INT        NOT NULL,
  chunk_size INT        NOT NULL,
  small      VARBINARY(4096),
  chunk_set  BINARY(16)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS blob_chunk (
  chunk_set BINARY(16) NOT NULL,
  i         INT        NOT NULL,
  data      MEDIUMBLOB NOT NULL,
  PRIMARY KEY (chunk_set, i)
) ENGINE=InnoDB;

-- Chunk sets that are being received and that no content owns yet. The id tells when that began (UUID version 7).
CREATE TABLE IF NOT EXISTS staged (
  chunk_set BINARY(16) NOT NULL PRIMARY KEY
) ENGINE=InnoDB;

-- The change log: one row for each committed operation; op_id settles a commit whose answer was lost.
CREATE TABLE IF NOT EXISTS txn (
  seq   BIGINT          NOT NULL PRIMARY KEY,
  op_id BINARY(16)      NOT NULL,
  tag   BINARY(16)      NOT NULL,
  actor VARBINARY(1020) NOT NULL,
  at_us BIGINT          NOT NULL,
  req   VARBINARY(255)  NOT NULL,
  UNIQUE KEY u_op (op_id)
) ENGINE=InnoDB;

-- What each operation touched, for whoever caches it.
CREATE TABLE IF NOT EXISTS txn_item (
  seq    BIGINT          NOT NULL,
  i      INT             NOT NULL,
  act    TINYINT         NOT NULL,
  node   BINARY(16)      NOT NULL,
  n      BIGINT          NOT NULL,
  parent BINARY(16)      NOT NULL,
  name   VARBINARY(1020) NOT NULL,
  PRIMARY KEY (seq, i)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS account (
  id         BINARY(16)      NOT NULL PRIMARY KEY,
  name       VARBINARY(1020) NOT NULL,
  password   VARBINARY(1024) NOT NULL,
  disabled   TINYINT         NOT NULL,
  created_us BIGINT          NOT NULL,
  UNIQUE KEY u_account (name)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS session (
  token      BINARY(32) NOT NULL PRIMARY KEY,
  account    BINARY(16) NOT NULL,
  created_us BIGINT     NOT NULL,
  expires_us BIGINT     NOT NULL,
  KEY k_expires (expires_us)
) ENGINE=InnoDB;

INSERT IGNORE INTO store_head (id, seq, tag, epoch)
VALUES (1, 0, UNHEX('00000000000000000000000000000000'), UNHEX(REPLACE(UUID(), '-', '')));

-- The root (1) and the trash (2), which no path leads to, with empty metadata: {}.
INSERT IGNORE INTO meta_obj (sha, data)
VALUES (UNHEX('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'), '{}');

INSERT IGNORE INTO node (id, parent, name, kind, cur, gen, created_us, created_by)
SELECT UNHEX('00000000000000000000000000000001'), UNHEX('00000000000000000000000000000000'), 'root', 1, 1, 1,
  CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED), 'system';

INSERT IGNORE INTO node (id, parent, name, kind, cur, gen, created_us, created_by)
SELECT UNHEX('00000000000000000000000000000002'), UNHEX('00000000000000000000000000000000'), 'trash', 1, 1, 1,
  CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED), 'system';

INSERT IGNORE INTO version (node, n, seq, body, meta, size, author, created_us)
SELECT id, 1, 0, UNHEX(REPEAT('00', 32)), UNHEX('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'), 0, created_by, created_us
FROM node WHERE parent = UNHEX('00000000000000000000000000000000');
