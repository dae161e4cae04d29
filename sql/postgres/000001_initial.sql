-- The first schema. Words are those of the architecture page; instants are milliseconds since 1970 of the router's clock; JSON is text.

create table sessions (
  id bigint generated always as identity primary key,
  uri text not null,
  opened_at bigint not null,
  refreshed_at bigint not null
);

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
  created_at bigint not null,
  updated_at bigint not null,
  version bigint not null,
  input_done integer not null,
  cancelled integer not null,
  final_outcome text,
  final_text text,
  -- Present exactly while the transaction waits for its next attempt.
  next_attempt_at bigint,
  -- The session that has the transaction in work.
  lease_session_id bigint references sessions (id),
  check (next_attempt_at is null or (lease_session_id is null and final_outcome is null)),
  check (final_outcome is null or lease_session_id is null)
);

-- Each index holds only the rows its one question is about, so a million finished transactions cost it nothing.
create index transactions_due on transactions (next_attempt_at) where next_attempt_at is not null and input_done = 1;
create index transactions_leased on transactions (lease_session_id) where lease_session_id is not null;
create index transactions_ended on transactions (updated_at) where final_outcome is not null;
create index transactions_unfinished on transactions (updated_at) where input_done = 0 and final_outcome is null;

create table attempts (
  transaction_id text not null references transactions (id) on delete cascade,
  number integer not null,
  started_at bigint not null,
  ended_at bigint,
  replies text not null,
  primary key (transaction_id, number)
);

-- A blob is finalized when its length has reached its total length.
create table blobs (
  id bigint generated always as identity primary key,
  length bigint not null,
  total_length bigint,
  -- How many rows of transaction_blobs point here; 0 while a large body is being written, and when the last user is gone.
  reference_count integer not null,
  touched_at bigint not null
);

create index blobs_unreferenced on blobs (touched_at) where reference_count = 0;

create table blob_chunks (
  blob_id bigint not null references blobs (id) on delete cascade,
  start_offset bigint not null,
  content bytea not null,
  primary key (blob_id, start_offset)
);

-- Mail is compressed badly or already: compressing it again only costs time.
alter table blob_chunks alter column content set storage external;

create table transaction_blobs (
  transaction_id text not null references transactions (id) on delete cascade,
  name text not null,
  blob_id bigint not null references blobs (id),
  primary key (transaction_id, name)
);

create index transaction_blobs_blob on transaction_blobs (blob_id);
