/** A YAML text as plain data, with the position of every path in it (YAML 1.2, `<<` merges, duplicate keys refused). */
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLParseError,
} from 'yaml';
import { limits } from '../core/limits.ts';
import { InvalidConfigError, type PlacedMistake } from './invalid-config.ts';
import type { ConfigPath, ConfigSource } from './source.ts';

export interface ConfigDocument {
  readonly value: Readonly<Record<string, unknown>>;
  readonly source: ConfigSource;
  /** A copy, with its comments, for who rewrites it: offsets in it are those of the text as it was. */
  copy(): { readonly document: Document; readonly lines: LineCounter };
}

/** The newest: what kind of file it is, its plugins and its settings are asked one after the other, of the same text. */
let newest: { readonly text: string; readonly file: string; readonly document: ConfigDocument } | undefined;

/** Throws `InvalidConfigError` when the text is no YAML, or no mapping. Nobody changes what it answers. */
export function parseConfigDocument(text: string, file: string): ConfigDocument {
  if (newest?.text !== text || newest.file !== file) newest = { text, file, document: parsed(text, file) };
  return newest.document;
}

function parsed(text: string, file: string): ConfigDocument {
  const mistakeAt = (line: number, col: number, message: string): PlacedMistake => ({ file, line, col, message });
  if (text.length > limits.configFileBytes) {
    throw new InvalidConfigError([mistakeAt(1, 1, `a configuration has at most ${limits.configFileBytes} bytes`)]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, merge: true });
  if (document.errors.length > 0) {
    throw new InvalidConfigError(
      withoutConsequences(document.errors).map((error) => {
        const { line, col } = lines.linePos(error.pos[0]);
        return mistakeAt(line, col, `not YAML: ${error.message}`);
      }),
    );
  }
  const root = document.contents as Node | null;
  if (!isMap(root)) {
    throw new InvalidConfigError([mistakeAt(1, 1, 'expected a mapping of sections such as `rest_listener:`')]);
  }
  const resolve = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  return {
    value: plainValue(() => document.toJS() as Record<string, unknown>, mistakeAt),
    source: { file, position: (path, key) => linePosition(lines, offsetOf(root, path, key, resolve)) },
    copy: () => ({ document: document.clone(), lines }),
  };
}

/** After a stray bracket the parser complains of every token to the end of the file; the first of these complaints is the mistake. */
function withoutConsequences(errors: readonly YAMLParseError[]): readonly YAMLParseError[] {
  const first = errors.find(({ code }) => code === 'UNEXPECTED_TOKEN');
  return errors.filter((error) => error.code !== 'UNEXPECTED_TOKEN' || error === first);
}

/** Expanding aliases is bounded by the parser; an "alias bomb" ends here. */
function plainValue(
  toJs: () => Record<string, unknown>,
  mistakeAt: (line: number, col: number, message: string) => PlacedMistake,
): Record<string, unknown> {
  try {
    return toJs();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new InvalidConfigError([mistakeAt(1, 1, `not YAML: ${why}`)]);
  }
}

function linePosition(lines: LineCounter, offset: number): { line: number; col: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), col: Math.max(1, col) };
}

/** Walks down as far as the path exists; aliases and merges lead to the line that was written. */
function offsetOf(root: Node, path: ConfigPath, key: string | undefined, resolve: (node: unknown) => unknown): number {
  let node: unknown = root;
  let offset = startOf(root) ?? 0;
  for (const segment of path) {
    const child = childOf(node, segment, resolve);
    if (child === undefined) return offset;
    node = resolve(child.value);
    offset = startOf(node) ?? startOf(child.key) ?? offset;
  }
  const named = key === undefined ? undefined : childOf(node, key, resolve);
  return startOf(named?.key) ?? offset;
}

interface ChildNode {
  readonly key?: unknown;
  readonly value: unknown;
}

function childOf(
  node: unknown,
  segment: string | number,
  resolve: (node: unknown) => unknown,
  depth = 0,
): ChildNode | undefined {
  if (depth > limits.configMergeDepth) return undefined;
  if (isSeq(node)) {
    const value = node.items[Number(segment)];
    return value === undefined ? undefined : { value };
  }
  if (!isMap(node)) return undefined;
  const pairs = node.items.filter(isPair) as Pair[];
  const own = pairs.find((pair) => keyText(pair) === String(segment));
  if (own !== undefined) return own;
  for (const merge of pairs.filter((pair) => keyText(pair) === '<<')) {
    const target = resolve(merge.value);
    const merged = isSeq(target) ? target.items.map(resolve) : [target];
    const found = merged.map((map) => childOf(map, segment, resolve, depth + 1)).find((child) => child !== undefined);
    if (found !== undefined) return found;
  }
  return undefined;
}

function keyText(pair: Pair): string {
  const key: unknown = isScalar(pair.key) ? pair.key.value : pair.key;
  // A merge key is a symbol to the parser.
  return typeof key === 'symbol' ? (key.description ?? '') : String(key);
}

function startOf(node: unknown): number | undefined {
  return (node as { range?: readonly number[] | null } | null | undefined)?.range?.[0];
}
