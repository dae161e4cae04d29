/** Whatever a file holds, loading it ends in a configuration or in a list of mistakes, never in a crash. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { InvalidConfigError } from '../../src/lib/config/invalid-config.ts';
import { parseGatewayConfig, parseRouterConfig } from '../../src/lib/config/load.ts';

function survives(text: string): void {
  for (const parse of [parseRouterConfig, parseGatewayConfig]) {
    try {
      parse(text, 'x.yaml');
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidConfigError);
      for (const { line, col } of (error as InvalidConfigError).mistakes) {
        expect(line).toBeGreaterThan(0);
        expect(col).toBeGreaterThan(0);
      }
    }
  }
}

const key = fc.constantFrom(
  ...['global', 'executor', 'rest', 'output', 'rest_listener', 'addr', 'cert', 'session_uri', 'sender', 'tag', 'name'],
  ...[
    'endpoint',
    'output_chain',
    'chain',
    'filter',
    'output_handler',
    'notification',
    'retry_params',
    'storage',
    'url',
  ],
  ...[
    'smtp_output',
    'hosts',
    'smtp_listener',
    'services',
    'rest_output',
    'smtps',
    'upstream_sender',
    'log',
    '__proto__',
  ],
);

const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom<unknown>(null, true, 0, -1, 1e20, Number.NaN, '', 'x', 'output_chain', 'http://h', '[h]'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(key, tie('value'), { maxKeys: 5 }),
  ),
}));

describe('any text', () => {
  it('that is YAML with keys of ours in odd places', () => {
    fc.assert(
      fc.property(value, (tree) => survives(stringify(tree))),
      { numRuns: 300 },
    );
  });

  it('that may be no YAML at all', () => {
    const soup = fc.array(
      fc.constantFrom('a', ':', ' ', '\n', '- ', '[', ']', '{', '}', '&a', '*a', '<<: ', '"', '|', '#', '\t', '? '),
    );
    fc.assert(
      fc.property(soup, (parts) => survives(parts.join(''))),
      { numRuns: 500 },
    );
  });
});
