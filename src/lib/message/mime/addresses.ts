/**
 * Reads address fields: From, To, Cc and their like (RFC 5322 §3.4, with the obsolete forms of §4.4 and the UTF-8 of RFC 6532). Groups are
 * flattened. What is no address is left out, and makes the list unsound.
 */
import { parseAddress } from '../../core/mailbox.ts';
import { type AddressToken, addressTokens } from './address-tokens.ts';

export interface HeaderAddress {
  /** As written, quotes and comments removed, encoded words not decoded; maybe empty. */
  readonly displayName: string;
  readonly address: string;
}

export interface AddressField {
  readonly addresses: readonly HeaderAddress[];
  /** Everything was understood. An empty list is sound. */
  readonly isSound: boolean;
  /** Something with an `@` was left out: whoever reads more generously may find an address there. */
  readonly mayHideOthers: boolean;
}

export function parseAddressField(text: string): AddressField {
  const { tokens, swallowed } = addressTokens(text);
  const addresses: HeaderAddress[] = [];
  let isSound = swallowed === undefined;
  let mayHideOthers = swallowed?.includes('@') === true;
  let isInGroup = false;
  let item: AddressToken[] = [];
  let angles = 0;
  const endItem = (): void => {
    const found = item.length === 0 ? undefined : readItem(item);
    if (found?.address !== undefined) addresses.push({ displayName: found.displayName, address: found.address });
    if (found?.isSound === false) isSound = false;
    if (found?.mayHideOthers === true) mayHideOthers = true;
    item = [];
    angles = 0;
  };
  for (const [i, token] of tokens.entries()) {
    if (token.kind === 'special' && token.text === '<') angles += 1;
    if (token.kind === 'special' && token.text === '>') angles -= 1;
    // RFC 5322 §4.4: a route inside the brackets has commas and a colon of its own.
    const separator = token.kind === 'special' && (angles <= 0 || token.text === ';') ? token.text : '';
    if (separator === ':' && !isInGroup) {
      isInGroup = true;
      if (item.length === 0) isSound = false;
      if (item.some(isSpecial('@'))) mayHideOthers = true;
      item = [];
    } else if (separator === ',' || (separator === ';' && isInGroup)) {
      // RFC 5322 §4.4: an empty place in the list, which nobody may write any more; after a group there is none.
      if (item.length === 0 && separator === ',' && tokens[i - 1]?.text !== ';') isSound = false;
      endItem();
      if (separator === ';') isInGroup = false;
    } else {
      item.push(token);
    }
  }
  endItem();
  return { addresses, isSound: isSound && !isInGroup, mayHideOthers };
}

/** `addr-spec`, or a phrase and an address in brackets; what is odd around the brackets does not hide the address inside. */
function readItem(tokens: readonly AddressToken[]): ReadAddress & { readonly displayName: string } {
  const open = tokens.findIndex(isSpecial('<'));
  const close = tokens.findIndex(isSpecial('>'));
  if (open === -1) return { displayName: '', ...readAddress(tokens) };
  const phrase = tokens.slice(0, open);
  const isPhrase = phrase.every(
    (token) => token.kind !== 'literal' && (token.kind !== 'special' || token.text === '.'),
  );
  const found = readAddress(withoutRoute(tokens.slice(open + 1, close === -1 ? undefined : close)));
  return {
    ...found,
    displayName: phraseText(phrase),
    isSound: found.isSound && isPhrase && close === tokens.length - 1,
    mayHideOthers: found.mayHideOthers || (close !== -1 && tokens.slice(close).some(isSpecial('@'))),
  };
}

function isSpecial(text: string): (token: AddressToken) => boolean {
  return (token) => token.kind === 'special' && token.text === text;
}

function phraseText(phrase: readonly AddressToken[]): string {
  return phrase.map(({ text, isApart }, i) => (isApart && i > 0 ? ` ${text}` : text)).join('');
}

/** `@relay,@relay:` before the address means nothing any more. */
function withoutRoute(tokens: readonly AddressToken[]): readonly AddressToken[] {
  if (tokens[0]?.text !== '@') return tokens;
  return tokens.slice(tokens.findIndex(({ kind, text }) => kind === 'special' && text === ':') + 1);
}

interface ReadAddress {
  readonly address?: string;
  readonly isSound: boolean;
  readonly mayHideOthers: boolean;
}

/** White space and comments may stand around dots and the `@`, and nowhere else. */
function readAddress(tokens: readonly AddressToken[]): ReadAddress {
  const isJoint = (token: AddressToken | undefined): boolean =>
    token?.kind === 'special' && (token.text === '.' || token.text === '@');
  const isTorn = tokens.some((token, i) => i > 0 && token.isApart && !isJoint(token) && !isJoint(tokens[i - 1]));
  const address = tokens.map(({ raw }) => raw).join('');
  const parts = isTorn ? undefined : parseAddress(address);
  if (parts !== undefined && parts.domain !== '') return { address, isSound: true, mayHideOthers: false };
  // The dot of the root has no place in an address, and everybody knows which domain is meant.
  const bare = address.endsWith('.') ? address.slice(0, -1) : '';
  if (!isTorn && bare.includes('@') && parseAddress(bare) !== undefined) {
    return { address: bare, isSound: false, mayHideOthers: false };
  }
  return { isSound: false, mayHideOthers: tokens.some(isSpecial('@')) };
}
