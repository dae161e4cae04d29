/**
 * The body of a transaction that came as message-builder JSON, on its way into the chain. It is the built message already, so whoever
 * reads it gets that and never anything else; or it is what its sender is told when it could not be made.
 */
import type { Body } from '../core/body.ts';
import type { Rng } from '../core/deps.ts';
import { InvariantError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { reply } from '../core/response.ts';
import { buildMessage } from './builder.ts';
import { BUILDER_POINTER, BuilderError, type BuilderMistake } from './builder-spec.ts';
import { normaliseBuilder } from './normalise-builder.ts';

export interface BuilderBody extends Body {
  readonly isBuilt: true;
}

/** Builds the message of stored message-builder JSON. Never rejects for what is wrong with the JSON or the parts: that is its `refusal`. */
export async function builderBody(
  json: unknown,
  parts: ReadonlyMap<string, Body>,
  deps: { readonly rng: Rng },
): Promise<BuilderBody> {
  const normalised = normaliseBuilder(json);
  if (!normalised.ok) return refusedBody(parts, normalised.mistakes);
  const { spec } = normalised;
  const tooLarge = sizeMistakes(parts);
  if (tooLarge.length > 0) return refusedBody(parts, tooLarge);
  try {
    const message = await buildMessage(spec, parts, deps);
    return { ...message, retain: () => retainAll([message, ...parts.values()]), isBuilt: true };
  } catch (error) {
    if (!(error instanceof BuilderError)) throw error;
    return refusedBody(parts, error.mistakes);
  }
}

/** Each part is bounded when it comes; one that is reused a hundred times comes once. */
function sizeMistakes(parts: ReadonlyMap<string, Body>): readonly BuilderMistake[] {
  const size = [...parts.values()].reduce((sum, part) => sum + part.size, 0);
  if (size <= limits.messageBytes) return [];
  return [{ pointer: BUILDER_POINTER, detail: `all parts together are larger than ${limits.messageBytes} bytes` }];
}

export function isBuilderBody(body: Body): body is BuilderBody {
  return 'isBuilt' in body;
}

function refusedBody(parts: ReadonlyMap<string, Body>, mistakes: readonly BuilderMistake[]): BuilderBody {
  const why = mistakes.map(({ pointer, detail }) => `${pointer}: ${detail}`).slice(0, 3);
  const refusal = reply(550, '5.6.0', `invalid message_builder: ${why.join('; ')}`);
  return {
    // Not 0, which a reader might take for nothing to read.
    size: 1,
    chunks: () => {
      throw new InvariantError(`read the body of a message that cannot be built: ${refusal.text}`);
    },
    retain: () => retainAll([...parts.values()]),
    isBuilt: true,
    refusal,
  };
}

function retainAll(bodies: readonly Body[]): () => void {
  const releases = bodies.map((body) => body.retain());
  return () => {
    for (const release of releases) release();
  };
}
