/** Checks a configuration text as `koukan config check` does; answers its mistakes as lines. */
import { checkText } from '../../src/lib/chain/check-config.ts';
import { builtInSteps } from '../../src/lib/chain/registry.ts';
import { formatMistake } from '../../src/lib/config/invalid-config.ts';
import type { ConfigKind } from '../../src/lib/config/kind.ts';

export async function checkedText(text: string, kind: ConfigKind): Promise<readonly string[]> {
  const { mistakes } = await checkText(text, `${kind}.yaml`, builtInSteps, kind);
  return mistakes.map(formatMistake);
}
