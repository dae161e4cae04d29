-- Fewer pages and statements for each message. Migrations only add, but for indexes.

-- The first attempt, which for nearly every transaction is the only one, is in its row: begun by the statement that creates it and ended by the
-- one that records its outcome. No replies: it is in `attempts`, as are all of earlier versions and those that a claim begins, or there was none.
alter table transactions add column first_started_at integer;
alter table transactions add column first_ended_at integer;
alter table transactions add column first_replies text;
alter table transactions add column first_hosts text;
alter table transactions add column first_dot_sent_at integer;
