/** A configuration as a YAML document that is being rewritten: comments and order stay, and every change leaves a note. */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { parseConfigDocument } from '../document.ts';

export interface MigrationNote {
  /** In the file as it was; absent for what has no one place. */
  readonly line?: number;
  readonly text: string;
}

export class OlderDocument {
  readonly #lines: LineCounter;
  readonly #document: Document;
  /** What each alias stood for in the file as it was. */
  readonly #sources = new Map<Alias, Node>();
  readonly notes: MigrationNote[] = [];

  /** Throws `InvalidConfigError` when the text is no YAML mapping. */
  constructor(text: string, file: string) {
    const { document, lines } = parseConfigDocument(text, file).copy();
    this.#document = document;
    this.#lines = lines;
    this.#rememberAliases();
  }

  get root(): YAMLMap {
    return this.#document.contents as YAMLMap;
  }

  toString(): string {
    // The anchor of an alias may have gone with a key that was taken out.
    visit(this.#document, {
      Alias: (_, alias) => {
        const source = this.#sources.get(alias);
        if (source === undefined || alias.resolve(this.#document) !== undefined) return undefined;
        return copyOf(source);
      },
    });
    return this.#document.toString({ lineWidth: 0, flowCollectionPadding: false });
  }

  #rememberAliases(): void {
    visit(this.#document, {
      Alias: (_, alias) => {
        const source = alias.resolve(this.#document);
        if (source !== undefined) this.#sources.set(alias, source);
        // What is said elsewhere in one word is read like any other word.
        return isScalar(source) ? copyOf(source) : undefined;
      },
    });
  }

  /** Says what was changed, and where it was. */
  note(at: unknown, text: string): void {
    const offset = (at as { range?: readonly number[] | null } | undefined)?.range?.[0];
    this.notes.push({ ...(offset !== undefined && { line: this.#lines.linePos(offset).line }), text });
  }

  /** A value as a node, to be put into the document. */
  node(value: unknown): unknown {
    return this.#document.createNode(value);
  }

  /** What an alias stands for; anything else is itself. */
  resolved(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }

  /** The mapping under a key, or the one it is an alias of: for reading only, since it may be another's. */
  read(parent: YAMLMap, key: string): YAMLMap | undefined {
    const found = this.resolved(parent.get(key));
    return isMap(found) ? found : undefined;
  }

  /** The mapping under a key, made when it is missing. */
  section(parent: YAMLMap, key: string): YAMLMap {
    const found = mapAt(parent, key);
    if (found !== undefined) return found;
    parent.set(key, this.node({}));
    return parent.get(key) as YAMLMap;
  }

  /** The list under a key, made when it is missing. */
  list(parent: YAMLMap, key: string): YAMLSeq {
    const found = parent.get(key);
    if (isSeq(found)) return found;
    parent.set(key, this.node([]));
    return parent.get(key) as YAMLSeq;
  }
}

function copyOf(source: Node): Node {
  const copy = source.clone() as Node & { anchor?: string };
  delete copy.anchor;
  return copy;
}

export function mapAt(parent: YAMLMap, key: string): YAMLMap | undefined {
  const found = parent.get(key);
  return isMap(found) ? found : undefined;
}

/** The mappings of a list; whatever else is in it is for the checker to refuse. */
export function mapsAt(parent: YAMLMap, key: string): readonly YAMLMap[] {
  const found = parent.get(key);
  return isSeq(found) ? found.items.filter(isMap) : [];
}

export function textOf(parent: YAMLMap, key: string): string | undefined {
  const found = parent.get(key);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

/** Takes a key out of a mapping and answers its plain value; `undefined` when it was not there. */
export function take(parent: YAMLMap, key: string): unknown {
  const found = parent.get(key, true) as unknown;
  if (!parent.has(key)) return undefined;
  parent.delete(key);
  if (isScalar(found)) return found.value;
  return isMap(found) || isSeq(found) ? (found.toJSON() as unknown) : found;
}
