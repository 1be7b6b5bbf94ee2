-- +goose NO TRANSACTION
-- +goose Up

-- Tenants. Names of users and roles are unique within one, and its paths begin at its root, a node of the table node that hangs on nothing. So far there is
-- the super tenant alone, with WSO2's number and domain and the root that every registry has; who adds another one adds its row and its root.
-- Each statement can run again, as in 0004_history.sql.
CREATE TABLE IF NOT EXISTS tenant (
  id         BIGINT          NOT NULL PRIMARY KEY,
  domain     VARBINARY(1020) NOT NULL,
  root       BINARY(16)      NOT NULL,
  created_us BIGINT          NOT NULL,
  UNIQUE KEY u_tenant (domain)
) ENGINE=InnoDB;

INSERT IGNORE INTO tenant (id, domain, root, created_us)
SELECT -1234, 'carbon.super', id, created_us FROM node WHERE id = UNHEX('00000000000000000000000000000001');

-- The default is for what was there before, and for nodes of the version before, which go on making rows while they are replaced.
SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE account ADD COLUMN tenant BIGINT NOT NULL DEFAULT -1234', 'DO 0')
  FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'account' AND column_name = 'tenant');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE role ADD COLUMN tenant BIGINT NOT NULL DEFAULT -1234', 'DO 0')
  FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'role' AND column_name = 'tenant');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- The new index comes before the old one goes, so no name is ever there twice.
SET @step = (SELECT IF(COUNT(*) = 0, 'CREATE UNIQUE INDEX u_account_name ON account (tenant, name)', 'DO 0')
  FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'account' AND index_name = 'u_account_name');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'DO 0', 'DROP INDEX u_account ON account')
  FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'account' AND index_name = 'u_account');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'CREATE UNIQUE INDEX u_role_name ON role (tenant, name)', 'DO 0')
  FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'role' AND index_name = 'u_role_name');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'DO 0', 'DROP INDEX u_role ON role')
  FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'role' AND index_name = 'u_role');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
