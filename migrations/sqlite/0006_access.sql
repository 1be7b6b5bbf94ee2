-- +goose Up

-- Roles. grants are administrative rights. Permission entries and accounts name a role by its id, so a role can be renamed, and the id of one that
-- is gone never comes back.
CREATE TABLE role (
  id BLOB NOT NULL PRIMARY KEY,
  name BLOB NOT NULL,
  description BLOB NOT NULL,
  grants INTEGER NOT NULL,
  created_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE UNIQUE INDEX u_role ON role (name);

CREATE TABLE account_role (
  account BLOB NOT NULL,
  role BLOB NOT NULL,
  PRIMARY KEY (account, role)
) WITHOUT ROWID;

CREATE INDEX k_member ON account_role (role, account);

CREATE TABLE profile (
  account BLOB NOT NULL PRIMARY KEY,
  email BLOB NOT NULL,
  full_name BLOB NOT NULL
) WITHOUT ROWID;

-- What a role may do at a node and below it, unless a node further down says otherwise. allow and deny are sets of rights: 1 read, 2 write, 4 delete,
-- 8 authorize. For a path that no store has (a collection that only leads to mounts) node is made of the path.
CREATE TABLE acl (
  node BLOB NOT NULL,
  role BLOB NOT NULL,
  allow INTEGER NOT NULL,
  deny INTEGER NOT NULL,
  PRIMARY KEY (node, role)
) WITHOUT ROWID;

CREATE INDEX k_acl_role ON acl (role, node);

-- API tokens by the hash of their secret. paths: one a line.
CREATE TABLE api_token (
  hash BLOB NOT NULL PRIMARY KEY,
  id BLOB NOT NULL,
  account BLOB NOT NULL,
  name BLOB NOT NULL,
  hint BLOB NOT NULL,
  rights INTEGER NOT NULL,
  manage INTEGER NOT NULL,
  paths BLOB NOT NULL,
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  used_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX k_token_account ON api_token (account, id);

-- Sessions, in place of the table session, which nodes of the version before go on using while they are replaced.
CREATE TABLE signin (
  token BLOB NOT NULL PRIMARY KEY,
  account BLOB NOT NULL,
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  address BLOB NOT NULL,
  agent BLOB NOT NULL
) WITHOUT ROWID;

CREATE INDEX k_signin_account ON signin (account, created_us);

CREATE INDEX k_signin_expires ON signin (expires_us);

INSERT INTO signin (token, account, created_us, expires_us, address, agent)
SELECT token, account, created_us, expires_us, x'', x'' FROM session;

-- The roles that every registry has: admin (1), everyone who signed in (2), who did not (3).
INSERT INTO role (id, name, description, grants, created_us) VALUES
  (x'00000000000000000000000000000001', CAST('admin' AS BLOB), CAST('May do everything' AS BLOB), 0, CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
  (x'00000000000000000000000000000002', CAST('everyone' AS BLOB), CAST('Whoever signed in' AS BLOB), 0, CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
  (x'00000000000000000000000000000003', CAST('anonymous' AS BLOB), CAST('Who did not sign in, where the configuration lets them in' AS BLOB), 0, CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));

-- Everyone who signed in may read, from the path / down.
INSERT INTO acl (node, role, allow, deny)
VALUES (x'56b21a89bcc381b0a1685d218641ade0', x'00000000000000000000000000000002', 1, 0);

-- The collection that an entry of the trash was deleted from. Its permissions go on to count for the entry, wherever it is meanwhile, itself in the trash included.
CREATE TABLE trash_parent (
  node   BLOB NOT NULL PRIMARY KEY,
  parent BLOB NOT NULL
) WITHOUT ROWID;

INSERT OR IGNORE INTO trash_parent (node, parent)
SELECT i.node, i.parent FROM txn_item i JOIN trash t ON t.node = i.node WHERE i.act = 3 ORDER BY i.seq DESC, i.i DESC;
