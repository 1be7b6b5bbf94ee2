-- +goose NO TRANSACTION
-- +goose Up

-- What search keeps of resources (package sqlstore, search.go). Each statement can run again, as in 0001_init.sql.

-- Nodes that changed since they were taken into the index; seq is the position of the change log, or a number below 1 for those that a pass put here.
-- Every change writes its row in its own transaction; a search looks at these nodes themselves.
CREATE TABLE IF NOT EXISTS search_todo (
  node BINARY(16) NOT NULL PRIMARY KEY,
  seq  BIGINT     NOT NULL
) ENGINE=InnoDB;

-- One row: the number of the next document; how far the pass has come over the nodes that were there before this table, and whether it is complete.
-- Whoever writes the tables below locks it first.
CREATE TABLE IF NOT EXISTS search_state (
  id       TINYINT    NOT NULL PRIMARY KEY,
  next_doc BIGINT     NOT NULL,
  seen     BINARY(16) NOT NULL,
  complete TINYINT    NOT NULL
) ENGINE=InnoDB;

-- The documents: each time that a node is taken into the index it is a new one. facts: what results and ranges need, as JSON.
CREATE TABLE IF NOT EXISTS search_doc (
  doc   BIGINT     NOT NULL PRIMARY KEY,
  node  BINARY(16) NOT NULL,
  facts MEDIUMBLOB NOT NULL,
  UNIQUE KEY u_doc (node)
) ENGINE=InnoDB;

-- Blocks of 1024 documents; docs: how many of them are not outdated.
CREATE TABLE IF NOT EXISTS search_block (
  block BIGINT NOT NULL PRIMARY KEY,
  docs  INT    NOT NULL
) ENGINE=InnoDB;

-- For each term and block the documents that have it, with the positions; new ones are appended.
CREATE TABLE IF NOT EXISTS search_term (
  term  VARBINARY(255) NOT NULL,
  block BIGINT         NOT NULL,
  docs  MEDIUMBLOB     NOT NULL,
  PRIMARY KEY (term, block),
  KEY k_block (block)
) ENGINE=InnoDB;

-- The text of contents that are slow to read, by hash and format.
CREATE TABLE IF NOT EXISTS search_text (
  sha    BINARY(32) NOT NULL,
  format TINYINT    NOT NULL,
  data   MEDIUMBLOB NOT NULL,
  PRIMARY KEY (sha, format)
) ENGINE=InnoDB;

-- Searches that users keep. rev grows with every change.
CREATE TABLE IF NOT EXISTS search_saved (
  owner  VARBINARY(1020) NOT NULL,
  name   VARBINARY(1020) NOT NULL,
  shared TINYINT         NOT NULL,
  query  VARBINARY(4000) NOT NULL,
  rev    BIGINT          NOT NULL,
  at_us  BIGINT          NOT NULL,
  PRIMARY KEY (owner, name),
  KEY k_shared (shared, owner, name)
) ENGINE=InnoDB;

INSERT IGNORE INTO search_state (id, next_doc, seen, complete)
SELECT 1, 1024, UNHEX('00000000000000000000000000000000'), CASE WHEN COUNT(*) <= 2 THEN 1 ELSE 0 END FROM node;
