/** Copies of one transaction with everything that belongs to it: attempts, bodies, and what else refers to it. */
import { randomBytes } from 'node:crypto';

/** In one database transaction. */
const AT_ONCE = 50_000;
/** From one copy to the next, back in time: a million are less than a day, after which the finished would be collected. */
const STEP_MS = 50;
/** The plan of which copy is how old, and has which ids. */
const PLAN = 'bench_copies';
const ID_BYTES = 16;
const ID_TIME_CHARS = 9;

/** `count` copies of transaction `id`, the oldest first, as they would have come. */
export async function copyTransaction(tables, id, count) {
  for (let oldest = count; oldest > 0; oldest -= AT_ONCE) {
    await tables.run('begin');
    await planCopies(tables, id, { oldest, youngest: Math.max(1, oldest - AT_ONCE + 1) });
    await copyRows(tables, 'transactions', `o.id = '${id}'`, transactionColumn);
    await copyBodies(tables, id);
    const others = (await tables.tablesWith('transaction_id')).filter((name) => name !== 'transaction_blobs');
    for (const table of others) await copyRows(tables, table, `o.transaction_id = '${id}'`, referenceColumn);
    await tables.run(`drop table ${PLAN}`);
    await tables.run('commit');
  }
  await tables.afterIds('blobs');
}

/** `age` counts steps. */
async function planCopies(tables, id, { oldest, youngest }) {
  const [{ last }] = await tables.all('select coalesce(max(id), 0) as last from blobs');
  const [{ created_at: createdAt }] = await tables.all(`select created_at from transactions where id = '${id}'`);
  await tables.run(`create table ${PLAN} (age bigint, id text, blob_id bigint)`);
  const ages = Array.from({ length: oldest - youngest + 1 }, (_, i) => oldest - i);
  await tables.insertPlan(
    PLAN,
    ages.map((age, i) => [age, newId(Number(createdAt) - age * STEP_MS), Number(last) + 1 + i]),
  );
}

/** As the product makes them: they begin with the time, so that those of one time are neighbours in an index. */
const newId = (createdAt) =>
  createdAt.toString(36).padStart(ID_TIME_CHARS, '0') + randomBytes(ID_BYTES).toString('base64url');

/** One row for each planned copy of each row that `where` finds; `columnValue` says what a column becomes, `undefined` that the database gives it. */
async function copyRows(tables, table, where, columnValue) {
  const columns = (await tables.columnsOf(table)).map((name) => [name, columnValue(name)]).filter(([, value]) => value);
  const names = columns.map(([name]) => name).join(', ');
  const values = columns.map(([, value]) => value).join(', ');
  await tables.run(
    `insert into ${table} (${names}) ${tables.overriding} select ${values} from ${PLAN} c, ${table} o where ${where} order by c.blob_id`,
  );
}

/** `o` is the original, `c` the plan of the copy. */
function transactionColumn(name) {
  if (name === 'id') return 'c.id';
  if (name === 'body_blob_id') return 'case when o.body_blob_id is null then null else c.blob_id end';
  if (['created_at', 'updated_at'].includes(name)) return `o.${name} - c.age * ${STEP_MS}`;
  if (name === 'next_attempt_at') return `o.${name} + c.age * ${STEP_MS}`;
  if (['rcpt_to', 'rcpt_address'].includes(name)) return `replace(o.${name}, '@aged.', '-' || c.age || '@aged.')`;
  return `o.${name}`;
}

/** Of a table that refers to transactions; a number of its own the database gives it. */
function referenceColumn(name) {
  if (name === 'id') return undefined;
  return name === 'transaction_id' ? 'c.id' : `o.${name}`;
}

/** Every copy has a body of its own, as every message has. */
async function copyBodies(tables, id) {
  const bodies = await tables.all(`select blob_id from blob_references where transaction_id = '${id}'`);
  if (bodies.length > 1) throw new Error('prefill: a transaction with several bodies cannot be copied');
  for (const { blob_id: blobId } of bodies) {
    await copyRows(tables, 'blobs', `o.id = ${blobId}`, (name) => (name === 'id' ? 'c.blob_id' : `o.${name}`));
    const ofBlob = (name) => (name === 'blob_id' ? 'c.blob_id' : name === 'transaction_id' ? 'c.id' : `o.${name}`);
    const referring = (await tables.tablesWith('blob_id')).filter((name) => name !== PLAN);
    for (const table of referring) await copyRows(tables, table, `o.blob_id = ${blobId}`, ofBlob);
  }
}
