/** The words of an address field (RFC 5322 §3.2): atoms, quoted strings, domain literals and the specials between them. */

export interface AddressToken {
  readonly kind: 'word' | 'quoted' | 'literal' | 'special';
  /** What it means: quotes and escapes undone. */
  readonly text: string;
  /** As written. */
  readonly raw: string;
  /** White space or a comment stands before it. */
  readonly isApart: boolean;
}

export interface AddressTokens {
  readonly tokens: readonly AddressToken[];
  /** What an opening that nothing closes has swallowed: a quote, a comment or a bracket. */
  readonly swallowed: string | undefined;
}

/** RFC 2047 §5 keeps commas and the like out of encoded words; some mailers do not. */
const ENCODED_WORD = /=\?[^?\s]{1,100}\?[bq]\?[^?\s]*\?=/iy;
const QUOTED = /"(?:[^"\\]|\\[\s\S])*"/y;
const LITERAL = /\[(?:[^[\]\\]|\\[\s\S])*\]/y;
const WORD = /[^\s()<>[\]:;@\\,."]+/y;
const SPACE = /\s+/y;

export function addressTokens(text: string): AddressTokens {
  const tokens: AddressToken[] = [];
  let isApart = false;
  let swallowed: string | undefined;
  const add = (kind: AddressToken['kind'], raw: string, meaning = raw): void => {
    tokens.push({ kind, text: meaning, raw, isApart });
    isApart = false;
  };
  for (let at = 0; at < text.length; ) {
    const char = text[at] as string;
    const space = matchAt(SPACE, text, at);
    if (space !== undefined || char === '(') {
      const end = space === undefined ? commentEnd(text, at) : at + space.length;
      if (end === undefined) swallowed = text.slice(at);
      isApart = true;
      at = end ?? text.length;
      continue;
    }
    const quoted = char === '"' ? matchAt(QUOTED, text, at) : undefined;
    const literal = char === '[' ? matchAt(LITERAL, text, at) : undefined;
    const word = char === '=' ? (matchAt(ENCODED_WORD, text, at) ?? matchAt(WORD, text, at)) : matchAt(WORD, text, at);
    if (quoted !== undefined) add('quoted', quoted, unquoted(quoted));
    else if (literal !== undefined) add('literal', literal);
    else if (word !== undefined) add('word', word);
    else {
      // An opening that nothing closes swallows the rest.
      if (char === '"' || char === '[') return { tokens, swallowed: text.slice(at) };
      add('special', char);
    }
    at += (quoted ?? literal ?? word ?? char).length;
  }
  return { tokens, swallowed };
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function unquoted(raw: string): string {
  return raw.slice(1, -1).replace(/\\([\s\S])/g, '$1');
}

/** Comments nest (RFC 5322 §3.2.2). */
function commentEnd(text: string, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const char = text[at];
    if (char === '\\') at += 1;
    else if (char === '(') depth += 1;
    else if (char === ')') depth -= 1;
    if (depth === 0) return at + 1;
  }
  return undefined;
}
