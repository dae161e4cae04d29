-- What running Koukan in earnest needs. Migrations only add: routers of the version before go on working while they are replaced one by one.

-- Cluster: how long without a sign of life a session is to be believed in, as its own router was told. Routers with different settings
-- must not take each other for dead too early. The default is what the version before lived by.
alter table sessions add column ttl_ms bigint not null default 90000;
-- Every attempt touches its row a few times: room for the next version of a row in its page, and a vacuum before the due index fills with
-- entries of rows that are not due any more.
alter table transactions set (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
