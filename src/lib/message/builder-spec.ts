/** The message-builder JSON as it is stored and built from: checked, with every content the name of one of the transaction's blobs. */

export interface PartSpec {
  /** `type/subtype`. */
  readonly content_type: string;
  readonly content: { readonly create_id: string };
  readonly filename?: string;
  readonly content_id?: string;
}

export interface BuilderSpec {
  readonly headers: readonly (readonly [string, unknown])[];
  /** The first is the root text, the others its alternatives, in order of preference. */
  readonly text_body: readonly PartSpec[];
  readonly related_attachments: readonly PartSpec[];
  readonly file_attachments: readonly PartSpec[];
}

/** The lists of parts in the order in which they are numbered. */
export const PART_LISTS = ['text_body', 'related_attachments', 'file_attachments'] as const;

/** A mistake in a message-builder JSON, with a JSON pointer (RFC 6901) into the create request. */
export interface BuilderMistake {
  readonly pointer: string;
  readonly detail: string;
}

/** The message cannot be built from this JSON and these parts. */
export class BuilderError extends Error {
  override readonly name = 'BuilderError';
  readonly mistakes: readonly BuilderMistake[];
  constructor(mistakes: readonly BuilderMistake[]) {
    super(mistakes.map(({ pointer, detail }) => `${pointer}: ${detail}`).join('; '));
    this.mistakes = mistakes;
  }
}

/** Where the message-builder JSON lies in a create request. */
export const BUILDER_POINTER = '/body/message_builder';
