/** The message of a transaction: its plain body, or the message built from its parts. */
import type { Body } from '../core/body.ts';
import type { Deps } from '../core/deps.ts';
import { builderBody } from '../message/builder-body.ts';
import { normaliseBuilder } from '../message/normalise-builder.ts';
import { BODY_BLOB, type Store } from '../store/store.ts';

/** Answers `undefined` while a blob is missing or unfinished. `messageBuilder` is the JSON as the store has it. */
export function loadBody(store: Store, txId: string, messageBuilder: unknown, deps: Deps): Promise<Body | undefined> {
  return bodyOf((name) => store.openBlob(txId, name), messageBuilder, deps);
}

/** The same, wherever the blobs are: `open` gives one by its name. */
export async function bodyOf(
  open: (name: string) => Promise<Body | undefined>,
  messageBuilder: unknown,
  deps: Deps,
): Promise<Body | undefined> {
  if (messageBuilder === undefined) return open(BODY_BLOB);
  const builder = normaliseBuilder(messageBuilder);
  const parts = new Map<string, Body>();
  for (const { name } of builder.ok ? builder.blobs : []) {
    const body = await open(name);
    if (body === undefined) return undefined;
    parts.set(name, body);
  }
  return builderBody(messageBuilder, parts, deps);
}
