/** The multiparts and messages the scanner is inside of, from the outermost to the innermost, and the lines that end one of them. */
import { limits } from '../../core/limits.ts';
import type { OpenPart } from './open-part.ts';

/** `--`, the boundary, `--`, and some white space (RFC 2046 §5.1.1). */
export const DELIMITER_BYTES_MAX = limits.mimeBoundaryBytes + 64;

/** What a delimiter line ends or begins. */
export interface Delimiter {
  /** How many parts enclose its multipart, itself included. */
  readonly level: number;
  readonly isClosing: boolean;
}

interface Enclosing {
  readonly part: OpenPart;
  /** Of a multipart until it is closed; as bytes, a character for each. */
  boundary: string | undefined;
}

export class EnclosingParts {
  readonly #frames: Enclosing[] = [];
  /** The level of the innermost open multipart of each boundary. */
  #levels = new Map<string, number>();
  #firstBytes = new Set<number>();

  /** No line can be a delimiter. */
  get hasNoBoundary(): boolean {
    return this.#levels.size === 0;
  }

  /** A delimiter may have this byte after its dashes: what most lines that begin with dashes fail. */
  mayBeginWith(byte: number | undefined): boolean {
    return byte !== undefined && this.#firstBytes.has(byte);
  }

  enter(part: OpenPart, boundary?: string): void {
    this.#frames.push({
      part,
      boundary: boundary === undefined ? undefined : Buffer.from(boundary).toString('latin1'),
    });
    this.#index();
  }

  /** Whose delimiter a line is, given what follows its dashes: the innermost multipart it can belong to. */
  delimiterOf(text: string): Delimiter | undefined {
    if (text.length > DELIMITER_BYTES_MAX) return undefined;
    const name = text.trimEnd();
    const opened = this.#levels.get(name) ?? 0;
    const closed = name.endsWith('--') ? (this.#levels.get(name.slice(0, -2)) ?? 0) : 0;
    if (opened === 0 && closed === 0) return undefined;
    return { level: Math.max(opened, closed), isClosing: closed > opened };
  }

  /** Leaves what is deeper than `level`; its content ends at `end`. */
  leave(level: number, end: number): void {
    if (this.#frames.length === level) return;
    for (const { part, boundary } of this.#frames.splice(level).reverse()) {
      part.end = end;
      if (boundary === undefined) continue;
      part.note(part.parts.length === 0 ? 'boundaryNotFound' : 'unterminatedMultipart');
    }
    this.#index();
  }

  /** The innermost multipart has no more parts; what follows up to the next delimiter belongs to nobody. */
  close(): void {
    const innermost = this.#frames.at(-1);
    if (innermost !== undefined) innermost.boundary = undefined;
    this.#index();
  }

  get innermost(): OpenPart | undefined {
    return this.#frames.at(-1)?.part;
  }

  #index(): void {
    this.#levels = new Map();
    for (const [i, { boundary }] of this.#frames.entries()) {
      if (boundary !== undefined) this.#levels.set(boundary, i + 1);
    }
    this.#firstBytes = new Set([...this.#levels.keys()].map((boundary) => boundary.charCodeAt(0)));
  }
}
