/**
 * The body of a transaction that came as message-builder JSON, on its way into the chain. It is the built message already, so whoever
 * reads it gets that and never anything else; and it remembers what it was made from, and why it could not be made.
 */
import type { Body } from '../core/body.ts';
import type { Rng } from '../core/deps.ts';
import { InvariantError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { type Response, reply } from '../core/response.ts';
import { buildMessage } from './builder.ts';
import { BUILDER_POINTER, BuilderError, type BuilderMistake, type BuilderSpec } from './builder-spec.ts';
import { normaliseBuilder } from './normalise-builder.ts';

export interface BuilderBody extends Body {
  readonly builder: {
    readonly spec: BuilderSpec | undefined;
    readonly parts: ReadonlyMap<string, Body>;
  } & BuilderResult;
}

/** The message, or what the sender is told when it cannot be built. */
export type BuilderResult =
  | { readonly message: Body; readonly fault?: undefined }
  | { readonly message?: undefined; readonly fault: Response };

/**
 * Builds the message of stored message-builder JSON. Never rejects for what is wrong with the JSON or the parts: the filter answers the
 * fault, and a chain without the filter fails when it reads the body.
 */
export async function builderBody(
  json: unknown,
  parts: ReadonlyMap<string, Body>,
  deps: { readonly rng: Rng },
): Promise<BuilderBody> {
  const normalised = normaliseBuilder(json);
  if (!normalised.ok) return faultyBody(undefined, parts, normalised.mistakes);
  const { spec } = normalised;
  const tooLarge = sizeMistakes(parts);
  if (tooLarge.length > 0) return faultyBody(spec, parts, tooLarge);
  try {
    const message = await buildMessage(spec, parts, deps);
    return { ...message, retain: () => retainAll([message, ...parts.values()]), builder: { spec, parts, message } };
  } catch (error) {
    if (!(error instanceof BuilderError)) throw error;
    return faultyBody(spec, parts, error.mistakes);
  }
}

/** Each part is bounded when it comes; one that is reused a hundred times comes once. */
function sizeMistakes(parts: ReadonlyMap<string, Body>): readonly BuilderMistake[] {
  const size = [...parts.values()].reduce((sum, part) => sum + part.size, 0);
  if (size <= limits.messageBytes) return [];
  return [{ pointer: BUILDER_POINTER, detail: `all parts together are larger than ${limits.messageBytes} bytes` }];
}

export function isBuilderBody(body: Body): body is BuilderBody {
  return 'builder' in body;
}

function faultyBody(
  spec: BuilderSpec | undefined,
  parts: ReadonlyMap<string, Body>,
  mistakes: readonly BuilderMistake[],
): BuilderBody {
  const why = mistakes.map(({ pointer, detail }) => `${pointer}: ${detail}`).slice(0, 3);
  const fault = reply(550, '5.6.0', `invalid message_builder: ${why.join('; ')}`);
  return {
    // Not 0, which a reader might take for nothing to read.
    size: 1,
    chunks: () => {
      throw new InvariantError(`read the body of a message that cannot be built: ${fault.text}`);
    },
    retain: () => retainAll([...parts.values()]),
    builder: { spec, parts, fault },
  };
}

function retainAll(bodies: readonly Body[]): () => void {
  const releases = bodies.map((body) => body.retain());
  return () => {
    for (const release of releases) release();
  };
}
