/**
 * Turns the transactions to be created into plain data for one commit. Small bodies travel inside it; large ones are written first, to a file
 * or piece by piece in commits of their own, and the plan only refers to them.
 */
import { type Body, bodyBytes, type Loan } from '../core/body.ts';
import { must } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { BodyFiles } from './body-files.ts';
import { chunkGroups, viewsOf } from './chunking.ts';
import { FiledBodies } from './filed-bodies.ts';
import type { GroupCommit } from './group-commit.ts';
import { attemptRow, newTxRow, nextColumns } from './rows.ts';
import type { CreatePlan, PlannedBody, PlannedSource, PlannedTransaction } from './sql/create-transactions.ts';
import type { BlobSource, NewTransaction } from './store.ts';

export interface Planned {
  readonly plan: CreatePlan;
  /** What the plan carries. */
  readonly sizeBytes: number;
  /** What was written to files for it. */
  readonly filed?: FiledBodies;
  /** What it carries and is somebody else's: to be given back when the commit is over, or will not be. */
  readonly loans?: readonly Loan[];
}

/** Rows and JSON of one transaction, roughly. */
const ROW_BYTES = 2048;

/** The plan, when nothing has to be read or written first: all bytes are in memory and go along. */
export function planAtOnce(
  transactions: readonly NewTransaction[],
  sessionId: number | null,
  now: number,
  files?: BodyFiles,
): Planned | undefined {
  const bodies: PlannedBody[] = [];
  const indexes = new Map<Body, number>();
  const loans: Loan[] = [];
  const largest = files === undefined ? limits.blobWriteBytes : Math.min(limits.bodyInRowBytes, limits.blobWriteBytes);
  let inlineBytes = 0;
  for (const { blobs } of transactions) {
    for (const { source } of blobs) {
      if (source.kind !== 'body' || indexes.has(source.body)) continue;
      const { size } = source.body;
      inlineBytes += size;
      const isTooMuch = size > largest || inlineBytes > limits.blobWriteBytes;
      const chunks = isTooMuch ? undefined : chunksInMemory(source.body, files && loans);
      if (chunks === undefined) {
        giveBack({ loans });
        return undefined;
      }
      indexes.set(source.body, bodies.push(inlineChunks(chunks, size)) - 1);
    }
  }
  const planTransaction = (tx: NewTransaction): PlannedTransaction => plannedTransaction(tx, indexes, sessionId, now);
  const sizeBytes = transactions.length * ROW_BYTES + inlineBytes;
  return { plan: { bodies, transactions: transactions.map(planTransaction), now }, sizeBytes, loans };
}

/** Nobody looks at the bytes that the plan carries any more. */
export function giveBack({ loans = [] }: Pick<Planned, 'loans'>): void {
  for (const loan of loans) loan.giveBack();
}

export async function planCreate(
  transactions: readonly NewTransaction[],
  writer: GroupCommit,
  sessionId: number | null,
  now: number,
  files?: BodyFiles,
): Promise<Planned> {
  const filed = files && new FiledBodies(files, writer, now);
  try {
    const { bodies, indexes, inlineBytes } = await planBodies(transactions, writer, now, filed);
    const planTransaction = (tx: NewTransaction): PlannedTransaction => plannedTransaction(tx, indexes, sessionId, now);
    const plan = { bodies, transactions: transactions.map(planTransaction), now };
    return { plan, sizeBytes: transactions.length * ROW_BYTES + inlineBytes, ...(filed && { filed }) };
  } catch (error) {
    await filed?.undo();
    throw error;
  }
}

interface PlannedBodies {
  readonly bodies: readonly PlannedBody[];
  readonly indexes: ReadonlyMap<Body, number>;
  readonly inlineBytes: number;
}

async function planBodies(
  transactions: readonly NewTransaction[],
  writer: GroupCommit,
  now: number,
  filed: FiledBodies | undefined,
): Promise<PlannedBodies> {
  const bodies: PlannedBody[] = [];
  const indexes = new Map<Body, number>();
  let inlineBytes = 0;
  for (const source of transactions.flatMap(({ blobs }) => blobs.map((blob) => blob.source))) {
    if (source.kind !== 'body' || indexes.has(source.body)) continue;
    const { body } = source;
    const mayBeInline = filed === undefined || body.size <= limits.bodyInRowBytes;
    const isInline = mayBeInline && inlineBytes + body.size <= limits.blobWriteBytes;
    const planned = isInline ? inlineBody(body) : (filed?.write(body) ?? writtenBody(body, writer, now));
    indexes.set(body, bodies.push(await planned) - 1);
    if (isInline) inlineBytes += body.size;
  }
  return { bodies, indexes, inlineBytes };
}

function plannedTransaction(
  tx: NewTransaction,
  indexes: ReadonlyMap<Body, number>,
  sessionId: number | null,
  now: number,
): PlannedTransaction {
  must(tx.next.kind !== 'leased' || sessionId !== null, 'a transaction can only be leased to an open session');
  const inputDone = tx.blobs.every(({ source }) => source.kind !== 'open');
  return {
    row: newTxRow(tx.record, nextColumns(tx.next, sessionId), inputDone, now),
    attempts: tx.attempts.map(attemptRow),
    blobs: tx.blobs.map(({ name, source }) => ({ name, source: plannedSource(source, indexes) })),
  };
}

function plannedSource(source: BlobSource, indexes: ReadonlyMap<Body, number>): PlannedSource {
  return source.kind === 'body' ? { kind: 'body', index: indexes.get(source.body) as number } : source;
}

async function inlineBody(body: Body): Promise<PlannedBody> {
  return inlineChunks(viewsOf(await bodyBytes(body)), body.size);
}

function inlineChunks(chunks: readonly Uint8Array[], size: number): PlannedBody {
  let sizeBytes = 0;
  for (const chunk of chunks) sizeBytes += chunk.byteLength;
  must(sizeBytes === size, 'a body is as long as it says');
  return { kind: 'inline', size, chunks };
}

/** Pieces in which a body may be stored as it came; each is a row, and many small ones are dearer than a copy. */
const PIECES_MAX = 4;

/**
 * The bytes of a body as they are stored, when they are all in memory. With `loans` they are borrowed where that can be: SQLite's batches are copied
 * together when they begin, while PostgreSQL's client may hold on to what it is given longer than we hear of.
 */
function chunksInMemory(body: Body, loans: Loan[] | undefined): readonly Uint8Array[] | undefined {
  const loan = loans && body.lend?.();
  if (loan !== undefined) {
    loans?.push(loan);
    return loan.pieces.length === 1 ? viewsOf(loan.pieces[0] as Buffer) : loan.pieces;
  }
  const { inMemory, inPieces } = body;
  if (inMemory !== undefined) return viewsOf(inMemory);
  if (inPieces === undefined) return undefined;
  return inPieces.length <= PIECES_MAX ? inPieces : viewsOf(Buffer.concat(inPieces));
}

/** One piece in flight at a time: memory holds two, whatever the size of the body. */
async function writtenBody(body: Body, writer: GroupCommit, now: number): Promise<PlannedBody> {
  const release = body.retain();
  try {
    const blobId = await writer.writePiece('beginBlob', {
      length: 0,
      totalLength: body.size,
      referenceCount: 0,
      now,
    });
    let offset = 0;
    for await (const chunks of chunkGroups(body)) {
      offset = await writer.writePiece('writeBlob', { blobId, offset, chunks, now }, limits.blobWriteBytes);
    }
    must(offset === body.size, 'a body is as long as it says');
    return { kind: 'written', blobId };
  } finally {
    release();
  }
}
