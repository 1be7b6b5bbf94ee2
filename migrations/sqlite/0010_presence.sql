-- +goose Up

-- See mysql/0010_presence.sql.
CREATE TABLE presence (
  id       BLOB    NOT NULL PRIMARY KEY,
  domain   BLOB    NOT NULL,
  node     BLOB    NOT NULL,
  version  BLOB    NOT NULL,
  skew_us  INTEGER NOT NULL,
  until_us INTEGER NOT NULL
) WITHOUT ROWID;
