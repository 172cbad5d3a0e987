-- Brings Stripe's customer ids home: joins `export --what map` back into a table of users.
--
-- Load map.csv into a table first. PostgreSQL:
--     CREATE TABLE stripe_map (row integer, source_id text, email text, customer_id text);
--     \copy stripe_map FROM 'map.csv' WITH (FORMAT csv, HEADER)
-- SQLite:
--     .import --csv map.csv stripe_map
--
-- `source_id` is the column that was named with --key; here it is users.user_id. Several users may share one customer:
-- duplicates of an e-mail address are mapped to the customer of the first of them.

ALTER TABLE users ADD COLUMN stripe_customer_id text;

UPDATE users
SET stripe_customer_id = (
    SELECT stripe_map.customer_id FROM stripe_map WHERE stripe_map.source_id = users.user_id
)
WHERE EXISTS (SELECT 1 FROM stripe_map WHERE stripe_map.source_id = users.user_id);

-- Who still has none: these rows are in `export --what failed`, each with the reason.
SELECT user_id FROM users WHERE stripe_customer_id IS NULL ORDER BY user_id;
