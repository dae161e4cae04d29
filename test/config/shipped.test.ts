/** Every configuration the package ships is one that starts. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkConfigs } from '../../src/lib/chain/check-config.ts';
import { builtInSteps } from '../../src/lib/chain/registry.ts';

const root = path.resolve(import.meta.dirname, '../..');
const files = readdirSync(path.join(root, 'config'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.yaml'))
  // It names keys that only its owner can make: production.test.ts.
  .filter((file) => !file.startsWith('production'))
  .map((file) => path.join('config', file));

describe('the shipped configurations', () => {
  it('are there', () => {
    expect(files).toContain(path.join('config', 'local-test', 'router.yaml'));
    expect(files).toContain(path.join('config', 'local-test', 'gateway.yaml'));
  });

  it.each(files)('%s has no mistake and nothing to warn of', async (file) => {
    const [report] = await checkConfigs([path.join(root, file)], builtInSteps);
    expect(report).toMatchObject({ mistakes: [], warnings: [] });
    expect(report?.kind).toBe(path.basename(file, '.yaml'));
  });
});
