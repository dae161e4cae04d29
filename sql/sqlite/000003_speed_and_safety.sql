-- Speed and safety. Migrations only add.

-- The delivery journal.
-- The end of the message was handed to the far end, at this instant: without an end of the attempt nobody knows whether it was taken.
alter table attempts add column dot_sent_at integer;
-- 1: nobody knows whether it was delivered, and nobody tries again until somebody has decided.
alter table transactions add column uncertain integer not null default 0;
create index transactions_uncertain on transactions (created_at, id) where uncertain = 1;

-- Large bodies.
-- 1: the bytes are in a file beside the database (SQLite only), named after this row's id.
alter table blobs add column in_file integer not null default 0;

-- Fair shares of what is due.
-- Those who have their share already are passed over in the index alone.
drop index transactions_due;
create index transactions_due on transactions (next_attempt_at, rcpt_domain, sender, tag)
  where next_attempt_at is not null and input_done = 1;
