-- +goose NO TRANSACTION
-- +goose Up

-- ALTER TABLE cannot be told to skip what is there on every server of the family, so each one is made where it is missing only.
SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE version ADD COLUMN comment VARBINARY(2000) NOT NULL DEFAULT \'\'', 'DO 0')
  FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'version' AND column_name = 'comment');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- The version of a node at a position of the change log.
SET @step = (SELECT IF(COUNT(*) = 0, 'CREATE INDEX k_at ON version (node, seq)', 'DO 0')
  FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'version' AND index_name = 'k_at');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- Names that point at versions. seq is the change that set the label; it is the label's entity tag.
CREATE TABLE IF NOT EXISTS label (
  node   BINARY(16)      NOT NULL,
  label  VARBINARY(400)  NOT NULL,
  n      BIGINT          NOT NULL,
  seq    BIGINT          NOT NULL,
  set_by VARBINARY(1020) NOT NULL,
  set_us BIGINT          NOT NULL,
  PRIMARY KEY (node, label)
) ENGINE=InnoDB;

-- Where nodes were: a row says that the node left that place by the change until_seq. Where it went, its next row or its node tells.
CREATE TABLE IF NOT EXISTS dirent_hist (
  parent    BINARY(16)      NOT NULL,
  name      VARBINARY(1020) NOT NULL,
  until_seq BIGINT          NOT NULL,
  node      BINARY(16)      NOT NULL,
  PRIMARY KEY (parent, name, until_seq),
  KEY k_left (node, until_seq)
) ENGINE=InnoDB;

INSERT IGNORE INTO dirent_hist (parent, name, until_seq, node)
SELECT parent, name, seq, node FROM txn_item WHERE act IN (3, 20);

-- What came out of the trash, or was made there by a copy: under which name matters to nobody.
INSERT IGNORE INTO dirent_hist (parent, name, until_seq, node)
SELECT UNHEX('00000000000000000000000000000002'), node, seq, node FROM txn_item WHERE act IN (22, 23);

-- Versions that retention removed: after version n (0: from the first on) a run of them that began with the change seq.
CREATE TABLE IF NOT EXISTS gap (
  node BINARY(16) NOT NULL,
  n    BIGINT     NOT NULL,
  seq  BIGINT     NOT NULL,
  PRIMARY KEY (node, n)
) ENGINE=InnoDB;

-- How long a collection keeps the versions of what lies in it; 0 for no such rule.
CREATE TABLE IF NOT EXISTS retention (
  node      BINARY(16)      NOT NULL PRIMARY KEY,
  keep_last BIGINT          NOT NULL,
  keep_days BIGINT          NOT NULL,
  seq       BIGINT          NOT NULL,
  set_by    VARBINARY(1020) NOT NULL,
  set_us    BIGINT          NOT NULL
) ENGINE=InnoDB;

-- Named positions of the change log, of a collection.
CREATE TABLE IF NOT EXISTS checkpoint (
  node    BINARY(16)      NOT NULL,
  name    VARBINARY(400)  NOT NULL,
  seq     BIGINT          NOT NULL,
  comment VARBINARY(2000) NOT NULL,
  set_by  VARBINARY(1020) NOT NULL,
  set_us  BIGINT          NOT NULL,
  PRIMARY KEY (node, name)
) ENGINE=InnoDB;

-- Metadata that lost a version which named it, as the table suspect has contents.
CREATE TABLE IF NOT EXISTS suspect_meta (
  sha  BINARY(32) NOT NULL PRIMARY KEY,
  mark BIGINT     NOT NULL
) ENGINE=InnoDB;

-- Who does a job that one node at a time does. until_us is by the clock of the database.
CREATE TABLE IF NOT EXISTS lease (
  name     VARBINARY(64) NOT NULL PRIMARY KEY,
  holder   BINARY(16)    NOT NULL,
  until_us BIGINT        NOT NULL
) ENGINE=InnoDB;
