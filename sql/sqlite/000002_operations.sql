-- What running Koukan in earnest needs. Migrations only add.

-- Cluster: how long without a sign of life a session is to be believed in, as its own router was told.
alter table sessions add column ttl_ms integer not null default 90000;
