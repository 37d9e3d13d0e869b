-- One row a transaction, by PostgreSQL's own benchmark.
INSERT INTO raw_insert (id, what) VALUES (gen_random_uuid(), repeat('x', 200));
