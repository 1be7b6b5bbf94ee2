-- +goose NO TRANSACTION
-- +goose Up

-- How many subtrees are sealed: the rows of departure. Every change reads it with the head, and so need not look at departure while it is 0.
SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE store_head ADD COLUMN sealed BIGINT NOT NULL DEFAULT 0', 'DO 0')
  FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'store_head' AND column_name = 'sealed');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- Subtrees that are being moved to another store; while a row is there nothing at or below its node changes. id is that of the move, home the epoch of the
-- other database. holder is who is at it, until until_us by the clock of the database: after that somebody else may take it over.
CREATE TABLE IF NOT EXISTS departure (
  id       BINARY(16)      NOT NULL PRIMARY KEY,
  node     BINARY(16)      NOT NULL,
  path     VARBINARY(8192) NOT NULL,
  home     BINARY(16)      NOT NULL,
  to_store VARBINARY(255)  NOT NULL,
  to_path  VARBINARY(8192) NOT NULL,
  actor    VARBINARY(1020) NOT NULL,
  at_us    BIGINT          NOT NULL,
  holder   BINARY(16)      NOT NULL,
  until_us BIGINT          NOT NULL
) ENGINE=InnoDB;

-- The other end: subtrees that come, or have come, from another store. state is 1 while they grow out of sight, 2 once they are in the tree, 3 when they never
-- will be. All versions that come along begin at seq.
CREATE TABLE IF NOT EXISTS arrival (
  id    BINARY(16) NOT NULL PRIMARY KEY,
  node  BINARY(16) NOT NULL,
  state BIGINT     NOT NULL,
  seq   BIGINT     NOT NULL,
  at_us BIGINT     NOT NULL,
  KEY k_arrived (node)
) ENGINE=InnoDB;
