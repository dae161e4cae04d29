-- The first schema. Words are those of the architecture page; instants are milliseconds since 1970 of the router's clock; JSON is text.

create table sessions (
  id integer primary key autoincrement,
  uri text not null,
  opened_at integer not null,
  refreshed_at integer not null
) strict;

create table transactions (
  id text primary key,
  sender text not null,
  tag text,
  parent_id text,
  origin text not null,
  mail_from text,
  rcpt_to text not null,
  message_builder text,
  filter_output text not null,
  retry integer not null,
  notification integer not null,
  created_at integer not null,
  updated_at integer not null,
  version integer not null,
  input_done integer not null,
  cancelled integer not null,
  final_outcome text,
  final_text text,
  -- Present exactly while the transaction waits for its next attempt.
  next_attempt_at integer,
  -- The session that has the transaction in work.
  lease_session_id integer references sessions (id),
  check (next_attempt_at is null or (lease_session_id is null and final_outcome is null)),
  check (final_outcome is null or lease_session_id is null)
) strict;

-- Each index holds only the rows its one question is about, so a million finished transactions cost it nothing.
create index transactions_due on transactions (next_attempt_at) where next_attempt_at is not null and input_done = 1;
create index transactions_leased on transactions (lease_session_id) where lease_session_id is not null;
create index transactions_ended on transactions (updated_at) where final_outcome is not null;
create index transactions_unfinished on transactions (updated_at) where input_done = 0 and final_outcome is null;

create table attempts (
  transaction_id text not null references transactions (id) on delete cascade,
  number integer not null,
  started_at integer not null,
  ended_at integer,
  replies text not null,
  primary key (transaction_id, number)
) strict, without rowid;

-- A blob is finalized when its length has reached its total length.
create table blobs (
  id integer primary key autoincrement,
  length integer not null,
  total_length integer,
  -- How many rows of transaction_blobs point here; 0 while a large body is being written, and when the last user is gone.
  reference_count integer not null,
  touched_at integer not null
) strict;

create index blobs_unreferenced on blobs (touched_at) where reference_count = 0;

create table blob_chunks (
  blob_id integer not null references blobs (id) on delete cascade,
  start_offset integer not null,
  content blob not null,
  primary key (blob_id, start_offset)
) strict;

create table transaction_blobs (
  transaction_id text not null references transactions (id) on delete cascade,
  name text not null,
  blob_id integer not null references blobs (id),
  primary key (transaction_id, name)
) strict, without rowid;

create index transaction_blobs_blob on transaction_blobs (blob_id);
