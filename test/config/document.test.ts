/** Positions in a YAML text, and texts that are none. */
import { describe, expect, it } from 'vitest';
import { parseConfigDocument } from '../../src/lib/config/document.ts';
import { InvalidConfigError } from '../../src/lib/config/invalid-config.ts';

function problem(text: string): string {
  try {
    parseConfigDocument(text, 'x.yaml');
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidConfigError);
    return (error as Error).message;
  }
  return '';
}

describe('positions', () => {
  const { source, value } = parseConfigDocument(
    `# first line
base: &base
  speed: 3
list:
- name: a
- <<: *base
  name: b
- *base
empty:
`,
    'x.yaml',
  );

  it.each([
    [['base', 'speed'], undefined, { line: 3, col: 10 }],
    [['base'], 'speed', { line: 3, col: 3 }],
    [['list', 0], undefined, { line: 5, col: 3 }],
    [['list', 0, 'missing', 'deep'], undefined, { line: 5, col: 3 }],
    [['list', 1, 'name'], undefined, { line: 7, col: 9 }],
    [['list', 1], 'name', { line: 7, col: 3 }],
    [['list', 9], undefined, { line: 5, col: 1 }],
    [['nowhere'], undefined, { line: 2, col: 1 }],
    [[], 'empty', { line: 9, col: 1 }],
  ])('of %j, key %s', (path, key, expected) => {
    expect(source.position(path, key)).toEqual(expected);
  });

  it('lead through merges and aliases to the line that was written', () => {
    expect(source.position(['list', 1, 'speed'])).toEqual({ line: 3, col: 10 });
    expect(source.position(['list', 2], 'speed')).toEqual({ line: 3, col: 3 });
    expect(value).toMatchObject({ list: [{ name: 'a' }, { speed: 3, name: 'b' }, { speed: 3 }] });
  });
});

describe('a text that is no configuration', () => {
  it.each([
    ['', 'x.yaml:1:1: expected a mapping of sections such as `rest_listener:`'],
    ['- a', 'x.yaml:1:1: expected a mapping of sections such as `rest_listener:`'],
    ['a: [1', 'x.yaml:1:6: not YAML: '],
    ['a: 1\na: 2', 'x.yaml:2:1: not YAML: Map keys must be unique'],
    ['a: *nothing', 'x.yaml:1:1: not YAML: '],
    ['a: 1\n---\nb: 2', 'x.yaml:2:1: not YAML: '],
    ['a: &a\n  <<: *a', ''],
  ])('%j is refused, or read, without a crash', (text, expected) => {
    expect(problem(text).startsWith(expected)).toBe(true);
  });

  it('with a stray bracket is complained of once, not for every word after it', () => {
    expect(problem('a: [1] [\nb: 2\nc:\n- d: 3\n- e: 4\n')).toBe(
      'x.yaml:1:8: not YAML: Unexpected flow-seq-start at node end',
    );
  });

  it('is refused when aliases would grow without bound', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
    for (const [of, by] of [...'abcdefgh'].map((c, i, all) => [all[i + 1], c])) {
      if (of !== undefined) bomb.push(`${of}: &${of} [${Array(10).fill(`*${by}`).join(',')}]`);
    }
    expect(problem(bomb.join('\n'))).toMatch(/^x\.yaml:1:1: not YAML: /);
  });

  it('is refused when it is too large', () => {
    expect(problem(`a: ${'x'.repeat(5_000_000)}`)).toMatch(/at most 4194304 bytes/);
  });
});
