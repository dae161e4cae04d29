-- Fewer pages for each message. Migrations only add: routers of the version before go on working while they are replaced one by one.

-- Room for what SQLite has there. Written from a later version on: a router of the version before would not find what is only here.
alter table blobs add column content bytea;
alter table blobs alter column content set storage external;
alter table transactions add column body_blob_id bigint;

-- Who refers to which blob. The migration that comes with the first rows in another form puts that into the view, for routers of this version, too.
create view blob_references as select transaction_id, name, blob_id from transaction_blobs;
