-- +goose NO TRANSACTION
-- +goose Up

-- What lies in the trash, by the node that was deleted. state: 1 deleted, 2 being removed for good, 3 a copy that is not complete yet.
-- path: where it was. k_trash serves the list, newest first, and the sweep.
CREATE TABLE IF NOT EXISTS trash (
  node  BINARY(16)      NOT NULL PRIMARY KEY,
  state TINYINT         NOT NULL,
  path  VARBINARY(8192) NOT NULL,
  actor VARBINARY(1020) NOT NULL,
  at_us BIGINT          NOT NULL,
  KEY k_trash (state, at_us, node)
) ENGINE=InnoDB;

-- Contents that lost a version which named them; the collector looks whether another one does. mark is new each time.
CREATE TABLE IF NOT EXISTS suspect (
  sha  BINARY(32) NOT NULL PRIMARY KEY,
  mark BIGINT     NOT NULL
) ENGINE=InnoDB;

-- Answers to requests with an idempotency key. id: hash of user and key; request: hash of the request; seq: where it took effect.
CREATE TABLE IF NOT EXISTS once (
  id      BINARY(32) NOT NULL PRIMARY KEY,
  request BINARY(32) NOT NULL,
  seq     BIGINT     NOT NULL,
  answer  MEDIUMBLOB NOT NULL,
  at_us   BIGINT     NOT NULL,
  KEY k_once (at_us)
) ENGINE=InnoDB;

-- What was deleted before there was this list; of its path the change log knows the name alone.
INSERT IGNORE INTO trash (node, state, path, actor, at_us)
SELECT i.node, 1, CONCAT('/', i.name), t.actor, t.at_us FROM txn_item i JOIN txn t ON t.seq = i.seq JOIN node n ON n.id = i.node
WHERE i.act = 3 AND n.parent = UNHEX('00000000000000000000000000000002');
