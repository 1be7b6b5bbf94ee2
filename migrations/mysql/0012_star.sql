-- +goose NO TRANSACTION
-- +goose Up

-- Which resources and collections a user starred, by node: a star stays with what it is on when that moves or is renamed. Nobody but its owner sees it.
CREATE TABLE IF NOT EXISTS star (
  node  BINARY(16)      NOT NULL,
  who   VARBINARY(1020) NOT NULL,
  at_us BIGINT          NOT NULL,
  PRIMARY KEY (node, who),
  KEY k_star (who, at_us, node)
) ENGINE=InnoDB;
