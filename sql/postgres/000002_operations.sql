-- What running Koukan in earnest needs. Migrations only add: routers of the version before go on working while they are replaced one by one.

-- Cluster: how long without a sign of life a session is to be believed in, as its own router was told. Routers with different settings
-- must not take each other for dead too early. The default is what the version before lived by.
alter table sessions add column ttl_ms bigint not null default 90000;
-- Every attempt touches its row a few times: room for the next version of a row in its page, and a vacuum before the due index fills with
-- entries of rows that are not due any more.
alter table transactions set (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- Finding transactions again.
-- Addresses to search by, in lower case: the (first) recipient, his domain, the reverse-path ('' when it is null).
alter table transactions add column rcpt_address text;
alter table transactions add column rcpt_domain text;
alter table transactions add column mail_from_address text;

update transactions set
  rcpt_address = lower(rcpt_to::json -> 0 ->> 'address'),
  mail_from_address = lower(mail_from::json ->> 'address');
update transactions set rcpt_domain = substring(rcpt_address from '[^@]*$') where position('@' in rcpt_address) > 0;

-- The newest first, by what a list is asked for most. Each index is written with every message, at a place of its own, which in a large
-- table is a page more to be logged and synced; so a domain and a reverse-path have none: they are looked for among what another index finds.
-- The partial ones hold little: what is not delivered.
-- A condition that is always true and that only a list of everything names: else a planner would rather read through all transactions in
-- their order, in the hope of meeting enough of a sender soon.
create index transactions_created on transactions (created_at, id) where input_done >= 0;
create index transactions_by_sender on transactions (sender, created_at, id);
create index transactions_by_rcpt on transactions (rcpt_address, created_at, id);
create index transactions_open on transactions (created_at, id) where final_outcome is null;
create index transactions_not_delivered on transactions (created_at, id) where final_outcome <> 'delivered';
create index transactions_by_parent on transactions (parent_id) where parent_id is not null;

-- The hosts that an attempt offered the message to, in order, as JSON.
alter table attempts add column hosts text;
