/**
 * What a receiving application is told of a message beside its bytes: the structure as JSON (protocol §3.4) and the decoded parts. The
 * `message_parser` filter finds it out, an output that can carry it sends it on with the body.
 */
import { type Body, smallBytes } from './body.ts';
import type { FilterOutput } from './transaction.ts';

export interface ParsedMessage {
  /** The JSON of protocol §3.4; parts that are not inline are named by `create_id`. */
  readonly json: Readonly<Record<string, unknown>>;
  /** The decoded bytes of each `create_id` in `json`, in document order. */
  readonly blobs: ReadonlyMap<string, Body>;
}

/** What is known of a message only once its last byte is there, for a hop that asked to hear it (`send_filter_output`, `receive_parsing`). */
export interface HopBodyNotes {
  readonly parsed?: ParsedMessage;
  readonly filterOutput?: FilterOutput;
}

/** A body on its way to the next hop, with notes for it. */
export interface HopBody extends Body {
  readonly notes: HopBodyNotes;
}

/** The same bytes, with notes; whoever does not know notes sees a body. */
export function hopBody(body: Body, notes: HopBodyNotes): HopBody {
  return {
    size: body.size,
    hasOnlyCrlf: body.hasOnlyCrlf ?? false,
    chunks: () => body.chunks(),
    retain: () => body.retain(),
    ...(body.inMemory !== undefined && { inMemory: body.inMemory }),
    ...(body.whole !== undefined && { whole: () => smallBytes(body) }),
    notes,
  };
}

export function hasNotes(body: Body): boolean {
  return 'notes' in body;
}

export function notesOf(body: Body): HopBodyNotes {
  return 'notes' in body ? (body as HopBody).notes : {};
}
