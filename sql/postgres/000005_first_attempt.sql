-- Fewer pages and statements for each message. Migrations only add: routers of the version before go on working while they are replaced one by one.

-- Room for what SQLite has there, so that one text of each statement does for both. Here attempts are where they were, all of them.
alter table transactions add column first_started_at bigint;
alter table transactions add column first_ended_at bigint;
alter table transactions add column first_replies text;
alter table transactions add column first_hosts text;
alter table transactions add column first_dot_sent_at bigint;
