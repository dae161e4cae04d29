/** What is to be sent: a finished message, or message-builder JSON whose parts may lie in local files. */

export interface LocalFile {
  readonly path: string;
  readonly sizeBytes: number;
}

export type Json = Readonly<Record<string, unknown>>;

export type Submission =
  | { readonly kind: 'message'; readonly bytes: Buffer }
  /** `files` has what is uploaded, by the `create_id` its content has in the JSON. */
  | { readonly kind: 'builder'; readonly json: Json; readonly files: ReadonlyMap<string, LocalFile> };
