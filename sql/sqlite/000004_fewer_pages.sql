-- Fewer pages for each message. Migrations only add, but for indexes.

-- An index whose entries come in order writes its last three pages again and again while it fills them: the shorter an entry, the fewer pages.
-- Those of one millisecond, or of one message, are few enough to be put in the order of their ids when they are read.
drop index transactions_created;
drop index transactions_by_sender;
drop index transactions_by_rcpt;
create index transactions_created on transactions (created_at) where input_done >= 0;
create index transactions_by_sender on transactions (sender, created_at);
create index transactions_by_rcpt on transactions (rcpt_address, created_at);
