-- +goose NO TRANSACTION
-- +goose Up

-- Roles. grants are administrative rights. Permission entries and accounts name a role by its id, so a role can be renamed, and the id of one that
-- is gone never comes back.
CREATE TABLE IF NOT EXISTS role (
  id          BINARY(16)      NOT NULL PRIMARY KEY,
  name        VARBINARY(1020) NOT NULL,
  description VARBINARY(4000) NOT NULL,
  grants      BIGINT          NOT NULL,
  created_us  BIGINT          NOT NULL,
  UNIQUE KEY u_role (name)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS account_role (
  account BINARY(16) NOT NULL,
  role    BINARY(16) NOT NULL,
  PRIMARY KEY (account, role),
  KEY k_member (role, account)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS profile (
  account   BINARY(16)      NOT NULL PRIMARY KEY,
  email     VARBINARY(1020) NOT NULL,
  full_name VARBINARY(1020) NOT NULL
) ENGINE=InnoDB;

-- What a role may do at a node and below it, unless a node further down says otherwise. allow and deny are sets of rights: 1 read, 2 write, 4 delete,
-- 8 authorize. For a path that no store has (a collection that only leads to mounts) node is made of the path.
CREATE TABLE IF NOT EXISTS acl (
  node  BINARY(16) NOT NULL,
  role  BINARY(16) NOT NULL,
  allow BIGINT     NOT NULL,
  deny  BIGINT     NOT NULL,
  PRIMARY KEY (node, role),
  KEY k_acl_role (role, node)
) ENGINE=InnoDB;

-- API tokens by the hash of their secret. paths: one a line.
CREATE TABLE IF NOT EXISTS api_token (
  hash       BINARY(32)      NOT NULL PRIMARY KEY,
  id         BINARY(16)      NOT NULL,
  account    BINARY(16)      NOT NULL,
  name       VARBINARY(1020) NOT NULL,
  hint       VARBINARY(32)   NOT NULL,
  rights     BIGINT          NOT NULL,
  manage     TINYINT         NOT NULL,
  paths      MEDIUMBLOB      NOT NULL,
  created_us BIGINT          NOT NULL,
  expires_us BIGINT          NOT NULL,
  used_us    BIGINT          NOT NULL,
  KEY k_token_account (account, id)
) ENGINE=InnoDB;

-- Sessions, in place of the table session, which nodes of the version before go on using while they are replaced.
CREATE TABLE IF NOT EXISTS signin (
  token      BINARY(32)     NOT NULL PRIMARY KEY,
  account    BINARY(16)     NOT NULL,
  created_us BIGINT         NOT NULL,
  expires_us BIGINT         NOT NULL,
  address    VARBINARY(255) NOT NULL,
  agent      VARBINARY(800) NOT NULL,
  KEY k_signin_account (account, created_us),
  KEY k_signin_expires (expires_us)
) ENGINE=InnoDB;

INSERT IGNORE INTO signin (token, account, created_us, expires_us, address, agent)
SELECT token, account, created_us, expires_us, '', '' FROM session;

-- The roles that every registry has: admin (1), everyone who signed in (2), who did not (3).
INSERT IGNORE INTO role (id, name, description, grants, created_us) VALUES
  (UNHEX('00000000000000000000000000000001'), 'admin', 'May do everything', 0, CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)),
  (UNHEX('00000000000000000000000000000002'), 'everyone', 'Whoever signed in', 0, CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)),
  (UNHEX('00000000000000000000000000000003'), 'anonymous', 'Who did not sign in, where the configuration lets them in', 0, CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED));

-- Everyone who signed in may read, from the path / down.
INSERT IGNORE INTO acl (node, role, allow, deny)
VALUES (UNHEX('56b21a89bcc381b0a1685d218641ade0'), UNHEX('00000000000000000000000000000002'), 1, 0);

-- The collection that an entry of the trash was deleted from. Its permissions go on to count for the entry, wherever it is meanwhile, itself in the trash included.
CREATE TABLE IF NOT EXISTS trash_parent (
  node   BINARY(16) NOT NULL PRIMARY KEY,
  parent BINARY(16) NOT NULL
) ENGINE=InnoDB;

INSERT IGNORE INTO trash_parent (node, parent)
SELECT i.node, i.parent FROM txn_item i JOIN trash t ON t.node = i.node WHERE i.act = 3 ORDER BY i.seq DESC, i.i DESC;
