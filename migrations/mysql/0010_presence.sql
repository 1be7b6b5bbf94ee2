-- +goose NO TRANSACTION
-- +goose Up

-- The processes that use this database: the cluster's domain, the node's name and version, and how far the database's clock was ahead of its own. until_us
-- is by the clock of the database; a process that ended without a word is there until then.
CREATE TABLE IF NOT EXISTS presence (
  id       BINARY(16)      NOT NULL PRIMARY KEY,
  domain   VARBINARY(1020) NOT NULL,
  node     VARBINARY(1020) NOT NULL,
  version  VARBINARY(255)  NOT NULL,
  skew_us  BIGINT          NOT NULL,
  until_us BIGINT          NOT NULL
) ENGINE=InnoDB;
