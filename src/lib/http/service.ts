/**
 * What the REST server serves: the transactions of a router, or of an outbound gateway. The server knows HTTP and JSON shapes and no policy;
 * a service knows transactions and no HTTP. A request that cannot be granted is a thrown `RequestProblem`.
 */
import type { Patience } from '../core/await-answers.ts';
import type { Origin } from '../core/envelope.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { FilterOutput, TxState } from '../core/transaction.ts';
import type { Caller } from './caller.ts';

/** `body` of a create request (protocol §2.3). */
export type BodyAsk =
  | { readonly kind: 'inline'; readonly text: string }
  | { readonly kind: 'reuse'; readonly uri: string }
  /** Checked for shape only; what the parts mean is the service's business. */
  | { readonly kind: 'builder'; readonly spec: MessageBuilderAsk };

export interface BuilderPart {
  readonly content_type: string;
  readonly content: { readonly inline?: string; readonly create_id?: string; readonly reuse_uri?: string };
  readonly filename?: string;
  readonly content_id?: string;
}

/** The message-builder JSON as the client sent it (protocol §3.1). */
export interface MessageBuilderAsk {
  readonly headers?: readonly (readonly [string, unknown])[];
  readonly text_body?: readonly BuilderPart[];
  readonly related_attachments?: readonly BuilderPart[];
  readonly file_attachments?: readonly BuilderPart[];
}

export interface CreateAsk extends Origin {
  readonly tag?: string;
  readonly mailFrom?: Mailbox;
  readonly rcptTo: readonly Mailbox[];
  readonly body?: BodyAsk;
  readonly filterOutput?: FilterOutput;
}

/** What a PATCH adds (REST_UPDATE fields); a heartbeat adds nothing. */
export interface UpdateAsk {
  readonly mailFrom?: Mailbox;
  readonly rcptTo?: readonly Mailbox[];
  /** Recipients the client believes to be there already. */
  readonly rcptToListOffset?: number;
  readonly filterOutput?: FilterOutput;
}

/** Bytes of `PUT …/body` or `…/blob/{id}`. */
export interface UploadAsk {
  readonly offset: number;
  /** The declared total length; absent while open. Declaring it without data is an upload of no bytes at `offset` = `total`. */
  readonly total?: number;
  /** No Content-Range was given: the whole blob is this entity, finalized at its end. Its `total` is known when a Content-Length was. */
  readonly whole: boolean;
  /** Ends after exactly what was declared; throws `RequestProblem` when the connection ends early or sends more. Read at most once. */
  readonly bytes: AsyncIterable<Buffer>;
  /** The same, where all of it is there already: then either may be taken. */
  readonly inMemory?: Buffer;
}

export interface UploadProgress {
  readonly length: number;
  readonly total?: number;
}

/** Which blobs a transaction has, as its client sees them. */
export interface BlobView {
  readonly name: string;
  readonly finalized: boolean;
}

export interface TransactionView {
  readonly id: string;
  readonly version: number;
  readonly state: TxState;
  readonly origin: Origin;
  /** A plain message, or a message builder with its parts. */
  readonly body:
    | { readonly kind: 'plain'; readonly finalized: boolean }
    | { readonly kind: 'builder'; readonly blobs: readonly BlobView[] }
    | undefined;
}

/** `caller` is who asks; without one, the process itself does. What is not for a caller does not exist for it: 404. */
export interface TransactionService {
  /** Creates a transaction; resolves as soon as it is as durable as it must be, never waiting for upstream. */
  create(sender: string, ask: CreateAsk, caller?: Caller): Promise<TransactionView>;
  /**
   * Reads a transaction. With `ifNoneMatch` equal to the current version, waits until it changes, at most `waitMs` or until `signal` aborts,
   * and answers `undefined` when it did not. A transaction that is final or not in work here does not wait.
   */
  read(
    id: string,
    wait: { readonly ifNoneMatch: string; readonly waitMs: number } | undefined,
    signal: AbortSignal,
    caller?: Caller,
  ): Promise<TransactionView | undefined>;
  /** Shows a transaction as soon as everything asked of it is answered, or when the patience is over; one that is not in work here at once. */
  settle(id: string, patience: Patience, caller?: Caller): Promise<TransactionView>;
  /** Adds to a transaction; `ifMatch` must be its current version. */
  update(id: string, ask: UpdateAsk, ifMatch: string, caller?: Caller): Promise<TransactionView>;
  /** Keeps a transaction alive; allowed on every kind. */
  heartbeat(id: string, caller?: Caller): Promise<TransactionView>;
  /** Uploads to the message (`blob` absent) or to a declared part. Answers `wrongRange` as a problem with the progress so far. */
  upload(id: string, blob: string | undefined, ask: UploadAsk, caller?: Caller): Promise<UploadProgress>;
  cancel(id: string, caller?: Caller): Promise<void>;
}

/** A request that cannot be granted: becomes an HTTP problem document (RFC 9457), or a redirect. */
export class RequestProblem extends Error {
  override readonly name = 'RequestProblem';
  readonly status: number;
  /** JSON pointer (RFC 6901) to the field at fault. */
  readonly pointer: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    status: number,
    detail: string,
    more: { pointer?: string; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail);
    this.status = status;
    this.pointer = more.pointer;
    this.headers = more.headers ?? {};
  }
}

/** The transaction is in work at another replica: 308 to the same path there. */
export class RedirectProblem extends Error {
  override readonly name = 'RedirectProblem';
  readonly baseUri: string;
  constructor(baseUri: string) {
    super(`in work at ${baseUri}`);
    this.baseUri = baseUri;
  }
}

/** 416: where the upload stands. */
export class RangeProblem extends Error {
  override readonly name = 'RangeProblem';
  readonly progress: UploadProgress;
  constructor(progress: UploadProgress) {
    super('invalid range');
    this.progress = progress;
  }
}
