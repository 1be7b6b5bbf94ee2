-- +goose NO TRANSACTION
-- +goose Up

-- What users attach to resources beside their versions. All of it names nodes by id: it follows them over moves and into the trash and back, and goes
-- when they are purged. Each statement can run again, as in 0001_init.sql. The longest keys have 16 + 2000 + 1020 bytes; 3072 are allowed.

-- Who gave which tag.
CREATE TABLE IF NOT EXISTS tagging (
  node  BINARY(16)      NOT NULL,
  tag   VARBINARY(2000) NOT NULL,
  who   VARBINARY(1020) NOT NULL,
  at_us BIGINT          NOT NULL,
  PRIMARY KEY (node, tag, who)
) ENGINE=InnoDB;

-- The tags of each resource; uses: how many users gave it.
CREATE TABLE IF NOT EXISTS tag (
  node BINARY(16)      NOT NULL,
  tag  VARBINARY(2000) NOT NULL,
  uses BIGINT          NOT NULL,
  PRIMARY KEY (node, tag),
  KEY k_tag (tag, node)
) ENGINE=InnoDB;

-- The tags of the store; uses: how many resources have it, those in the trash counted.
CREATE TABLE IF NOT EXISTS tag_use (
  tag  VARBINARY(2000) NOT NULL PRIMARY KEY,
  uses BIGINT          NOT NULL,
  KEY k_uses (uses, tag)
) ENGINE=InnoDB;

-- Comments. n is the position of the change log that made it; thread is the n of the comment that began the thread, reply_to that of the one answered,
-- 0 for none. deleted: the body is gone, the row holds the thread together.
CREATE TABLE IF NOT EXISTS comment (
  node       BINARY(16)      NOT NULL,
  thread     BIGINT          NOT NULL,
  n          BIGINT          NOT NULL,
  reply_to   BIGINT          NOT NULL,
  rev        BIGINT          NOT NULL,
  deleted    TINYINT         NOT NULL,
  author     VARBINARY(1020) NOT NULL,
  created_us BIGINT          NOT NULL,
  edited_by  VARBINARY(1020) NOT NULL,
  edited_us  BIGINT          NOT NULL,
  body       VARBINARY(2000) NOT NULL,
  PRIMARY KEY (node, thread, n),
  UNIQUE KEY u_comment (node, n)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS rating (
  node  BINARY(16)      NOT NULL,
  who   VARBINARY(1020) NOT NULL,
  score TINYINT         NOT NULL,
  at_us BIGINT          NOT NULL,
  PRIMARY KEY (node, who)
) ENGINE=InnoDB;

-- The sum of the ratings of a resource, so that nobody has to read them all.
CREATE TABLE IF NOT EXISTS rating_sum (
  node  BINARY(16) NOT NULL PRIMARY KEY,
  votes BIGINT     NOT NULL,
  total BIGINT     NOT NULL
) ENGINE=InnoDB;

-- Typed, directed links: from src to the resource dst, or to the outside uri. out_key and in_key begin with 16 bytes of the SHA-256 of the type;
-- the SHA-256 of the target, or src, follows. So one range of a key has all links of a resource, or those of one type.
CREATE TABLE IF NOT EXISTS association (
  src        BINARY(16)      NOT NULL,
  out_key    BINARY(48)      NOT NULL,
  dst        BINARY(16),
  in_key     BINARY(32)      NOT NULL,
  type       VARBINARY(8000) NOT NULL,
  uri        VARBINARY(8192),
  created_us BIGINT          NOT NULL,
  created_by VARBINARY(1020) NOT NULL,
  PRIMARY KEY (src, out_key),
  KEY k_dst (dst, in_key)
) ENGINE=InnoDB;
