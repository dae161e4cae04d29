-- Fewer pages for each message. Migrations only add, but for indexes.

-- An index whose entries come in order writes its last three pages again and again while it fills them: the shorter an entry, the fewer pages.
-- Those of one millisecond, or of one message, are few enough to be put in the order of their ids when they are read.
drop index transactions_created;
drop index transactions_by_sender;
drop index transactions_by_rcpt;
create index transactions_created on transactions (created_at) where input_done >= 0;
create index transactions_by_sender on transactions (sender, created_at);
create index transactions_by_rcpt on transactions (rcpt_address, created_at);
-- What is in work has an index already, of which it usually goes straight to what has ended.
drop index transactions_open;
create index transactions_open on transactions (created_at) where final_outcome is null and lease_session_id is null;

-- A small body that is complete when it is stored is in the row of its blob, and not in a chunk. Null: the bytes are in chunks, or in a file.
alter table blobs add column content blob;
-- The blob named `body`, which nearly every transaction has, is in the row of its transaction. No foreign key, which would need an index to be
-- checked by: who refers to a blob makes it, or finds it, in the same commit, and its reference_count keeps it.
alter table transactions add column body_blob_id integer;

-- Who refers to which blob, wherever that is written.
create view blob_references as
  select transaction_id, name, blob_id from transaction_blobs
  union all
  select id, 'body', body_blob_id from transactions where body_blob_id is not null;
