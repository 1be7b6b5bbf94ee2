-- +goose NO TRANSACTION
-- +goose Up

-- What the audit tells of an operation beside who and when: the client's address, as trusted proxies say, and what it called itself.
-- k_txn_actor finds what one user did, newest first.
SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE txn ADD COLUMN client VARBINARY(64) NOT NULL DEFAULT \'\', ADD COLUMN agent VARBINARY(255) NOT NULL DEFAULT \'\', ADD KEY k_txn_actor (actor, seq)', 'DO 0')
  FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'txn' AND column_name = 'client');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- Where the thing was at that time, in the store (empty: no path leads to it), the other path that the act is about (of a move, a copy, an association;
-- empty: none), and the content's hash before and after (empty: none).
-- k_item_node finds what happened to one thing, newest first.
SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE txn_item ADD COLUMN path VARBINARY(8192) NOT NULL DEFAULT \'\', ADD COLUMN related VARBINARY(8192) NOT NULL DEFAULT \'\', ADD COLUMN body_before VARBINARY(32) NOT NULL DEFAULT \'\', ADD COLUMN body_after VARBINARY(32) NOT NULL DEFAULT \'\', ADD KEY k_item_node (node, seq, i)', 'DO 0')
  FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'txn_item' AND column_name = 'body_after');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- Sign-ins and refusals, which change nothing and so are not in the change log. The id tells when (UUID version 7); times is how often it happened
-- in the same way since the row before.
CREATE TABLE IF NOT EXISTS access_event (
  id     BINARY(16)      NOT NULL PRIMARY KEY,
  kind   TINYINT         NOT NULL,
  times  BIGINT          NOT NULL,
  actor  VARBINARY(1020) NOT NULL,
  client VARBINARY(64)   NOT NULL,
  agent  VARBINARY(255)  NOT NULL,
  req    VARBINARY(255)  NOT NULL,
  path   VARBINARY(8192) NOT NULL
) ENGINE=InnoDB;
