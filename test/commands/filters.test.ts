/** `koukan filters` as a user runs it. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { filters } from '../../src/lib/filters/index.ts';
import { matchers } from '../../src/lib/matchers/index.ts';
import type { CatalogueEntry } from '../../src/lib/tools/catalogue.ts';
import { projectRoot, runKoukan } from '../helpers/process.ts';

const example = path.join(projectRoot, 'examples/plugin/router.yaml');

describe('koukan filters', () => {
  it('lists everything a chain may be made of', async (context) => {
    const { code, stdout } = await runKoukan(context, { args: ['filters'] });
    expect(code).toBe(0);
    for (const { name, summary } of [...filters, ...matchers]) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name} +${summary.slice(0, 12).replace(/[().]/g, '.')}`, 'm'));
    }
    expect(stdout.match(/^\S.*/gm)).toEqual([
      'Filters',
      'Outputs (the last step of a chain)',
      "Routing policies (`policy` of the filter 'router')",
      "Matchers (`match` of the filter 'policy_action')",
    ]);
  });

  it('says the options of one, of both kinds when two share a name', async (context) => {
    const { stdout } = await runKoukan(context, { args: ['filters', 'policy_action'] });
    expect(stdout).toContain('filter policy_action\n');
    expect(stdout).toContain('  tag: text, required\n');
    expect(stdout).toContain('  code: whole number, default 550\n      SMTP code of a rejection.\n');
    expect(stdout).toContain('matcher policy_action\n');
  });

  it('knows the plugins of a configuration', async (context) => {
    const { stdout } = await runKoukan(context, { args: ['filters', '--config', example, 'ticket'] });
    expect(stdout).toBe(`filter ticket of the plugin example
Finds the ticket in the subject and adds it as a header.

  header: text, default "X-Ticket"
      Name of the header.
`);
  });

  it('prints everything as JSON', async (context) => {
    const { stdout } = await runKoukan(context, { args: ['filters', '--config', example, '--json'] });
    const entries = JSON.parse(stdout) as CatalogueEntry[];
    expect(entries.filter(({ plugin }) => plugin === 'example').map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'filter hello',
      'filter ticket',
      'routing policy hello',
      'matcher has_ticket',
      'matcher hello',
    ]);
    const description = 'Name of the header.';
    expect(entries.find(({ name }) => name === 'ticket')?.options).toEqual([
      { name: 'header', type: 'text', isRequired: false, default: '"X-Ticket"', description },
    ]);
  });

  it('suggests the nearest name for one it does not know', async (context) => {
    const { code, stdout, stderr } = await runKoukan(context, { args: ['filters', 'polcy_action'] });
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toBe(
      "there is no filter, output, routing policy or matcher 'polcy_action' (did you mean 'policy_action'?)\n",
    );
  });
});
