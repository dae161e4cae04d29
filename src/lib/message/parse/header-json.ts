/** Header fields as a receiving application gets them (protocol §3.4): structured where their form is known, else decoded text. */

import type { HeaderField } from '../headers.ts';
import { parseAddressField } from '../mime/addresses.ts';
import { decodeWords } from '../mime/encoded-words.ts';
import { type Parameterised, parseParameterised } from '../mime/parameters.ts';
import { readDate } from '../mime/read-date.ts';

export type HeaderJson = readonly [name: string, value: unknown];

/** Names in lower case; order and duplicates as in the message. */
export function headersJson(headers: readonly HeaderField[]): readonly HeaderJson[] {
  return headers.map(({ name, value }) => {
    const key = name.toLowerCase();
    return [key, FORMS.get(key)?.(value) ?? decodeWords(value)];
  });
}

/** Answers `undefined` for a value that does not have the form: the receiver gets the text then. */
type Form = (value: string) => unknown;

const FORMS: ReadonlyMap<string, Form> = new Map<string, Form>([
  ['from', addresses],
  ['to', addresses],
  ['cc', addresses],
  ['bcc', addresses],
  ['date', date],
  ['message-id', (value) => decodeWords(value).replace(/^<(.*)>$/s, '$1')],
  ['content-type', (value) => withParameters(parseParameterised(value), /^[^\s/]+\/[^\s/]+$/)],
  ['content-disposition', (value) => withParameters(parseParameterised(value), /^[^\s/]+$/)],
]);

function addresses(value: string): unknown {
  const { addresses: list, isSound } = parseAddressField(value);
  if (!isSound) return undefined;
  return list.map(({ displayName, address }) => ({ display_name: decodeWords(displayName), address }));
}

function date(value: string): unknown {
  const found = readDate(value);
  return found && { unix_secs: found.unixSecs, tz_offset: found.offsetSecs };
}

function withParameters({ value, params }: Parameterised, form: RegExp): unknown {
  if (!form.test(value)) return undefined;
  return [value, Object.fromEntries([...params].map(([name, text]) => [name, decodeWords(text)]))];
}
