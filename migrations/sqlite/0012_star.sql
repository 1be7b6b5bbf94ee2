-- +goose Up

-- Which resources and collections a user starred, by node: a star stays with what it is on when that moves or is renamed. Nobody but its owner sees it.
CREATE TABLE star (
  node  BLOB    NOT NULL,
  who   BLOB    NOT NULL,
  at_us INTEGER NOT NULL,
  PRIMARY KEY (node, who)
) WITHOUT ROWID;

CREATE INDEX k_star ON star (who, at_us, node);
