-- +goose NO TRANSACTION
-- +goose Up

-- The search index gets rows for order, ranking and ranges (package registry, search_column.go), which it does not have of what is in it: it is made again. Numbers
-- of documents are not used twice, so the next one stays. Each statement can run again, as in 0001_init.sql.

-- last_us: no document of the block changed after that.
SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE search_block ADD COLUMN last_us BIGINT NOT NULL', 'DO 0')
  FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'search_block' AND column_name = 'last_us');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

TRUNCATE TABLE search_term;

TRUNCATE TABLE search_doc;

TRUNCATE TABLE search_block;

UPDATE search_state SET seen = UNHEX('00000000000000000000000000000000'),
  complete = CASE WHEN (SELECT COUNT(*) FROM (SELECT 1 FROM node LIMIT 3) some) <= 2 THEN 1 ELSE 0 END WHERE id = 1;
