-- +goose Up

-- Tenants. Names of users and roles are unique within one, and its paths begin at its root, a node of the table node that hangs on nothing. So far there is
-- the super tenant alone, with WSO2's number and domain and the root that every registry has; who adds another one adds its row and its root.
CREATE TABLE tenant (
  id INTEGER NOT NULL PRIMARY KEY,
  domain BLOB NOT NULL,
  root BLOB NOT NULL,
  created_us INTEGER NOT NULL
);

CREATE UNIQUE INDEX u_tenant ON tenant (domain);

INSERT INTO tenant (id, domain, root, created_us)
SELECT -1234, CAST('carbon.super' AS BLOB), id, created_us FROM node WHERE id = x'00000000000000000000000000000001';

-- The default is for what was there before, and for nodes of the version before, which go on making rows while they are replaced.
ALTER TABLE account ADD COLUMN tenant INTEGER NOT NULL DEFAULT -1234;

ALTER TABLE role ADD COLUMN tenant INTEGER NOT NULL DEFAULT -1234;

CREATE UNIQUE INDEX u_account_name ON account (tenant, name);

DROP INDEX u_account;

CREATE UNIQUE INDEX u_role_name ON role (tenant, name);

DROP INDEX u_role;
