-- +goose NO TRANSACTION
-- +goose Up

-- Webhooks. actions: one a line, none means all. secret: what deliveries are signed with, as it is, since any node signs. owner: the account that
-- made it. rev grows with every change.
CREATE TABLE IF NOT EXISTS webhook (
  id         BINARY(16)      NOT NULL PRIMARY KEY,
  name       VARBINARY(1020) NOT NULL,
  url        VARBINARY(8192) NOT NULL,
  store      VARBINARY(1020) NOT NULL,
  path       VARBINARY(8192) NOT NULL,
  actions    VARBINARY(4000) NOT NULL,
  secret     VARBINARY(255)  NOT NULL,
  enabled    TINYINT         NOT NULL,
  owner      BINARY(16)      NOT NULL,
  owner_name VARBINARY(1020) NOT NULL,
  rev        BIGINT          NOT NULL,
  created_us BIGINT          NOT NULL,
  changed_us BIGINT          NOT NULL
) ENGINE=InnoDB;

-- Where each webhook has come to in the change log of its store. waiting: the delivery of the event after that, when it was tried already. failures: how
-- many tries in a row failed, the first at failing_us; the next is not before next_us. rev: whoever writes the row must have read it so.
CREATE TABLE IF NOT EXISTS webhook_state (
  webhook    BINARY(16) NOT NULL PRIMARY KEY,
  rev        BIGINT     NOT NULL,
  seq        BIGINT     NOT NULL,
  item       BIGINT     NOT NULL,
  mark       BIGINT     NOT NULL,
  waiting    BINARY(16) NOT NULL,
  failures   BIGINT     NOT NULL,
  failing_us BIGINT     NOT NULL,
  next_us    BIGINT     NOT NULL
) ENGINE=InnoDB;

-- What was sent, or tried. The id tells when that began (UUID version 7). state: 1 waits for another try, 2 delivered, 3 given up. kind: 1 an event, 2 one
-- sent again by hand, 3 a test. answer: the first 1024 bytes.
CREATE TABLE IF NOT EXISTS webhook_delivery (
  webhook     BINARY(16)      NOT NULL,
  id          BINARY(16)      NOT NULL,
  kind        TINYINT         NOT NULL,
  state       TINYINT         NOT NULL,
  seq         BIGINT          NOT NULL,
  item        BIGINT          NOT NULL,
  mark        BIGINT          NOT NULL,
  action      VARBINARY(64)   NOT NULL,
  path        VARBINARY(8192) NOT NULL,
  attempts    BIGINT          NOT NULL,
  first_us    BIGINT          NOT NULL,
  last_us     BIGINT          NOT NULL,
  duration_us BIGINT          NOT NULL,
  status      BIGINT          NOT NULL,
  answer      VARBINARY(1024) NOT NULL,
  fault       VARBINARY(1024) NOT NULL,
  PRIMARY KEY (webhook, id)
) ENGINE=InnoDB;
