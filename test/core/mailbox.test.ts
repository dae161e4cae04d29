/** Which addresses are accepted (protocol §7.2), and how they are taken apart. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { domainOf, findParam, isDomain, mailbox, parseAddress } from '../../src/lib/core/mailbox.ts';

describe('an address is accepted', () => {
  test.each<[string, string, string, string]>([
    ['plain', 'user@example.com', 'user', 'example.com'],
    ['with a tag', 'user+tag@example.com', 'user+tag', 'example.com'],
    ['with every special character of an atom', "!#$%&'*+-/=?^_`{|}~@x.test", "!#$%&'*+-/=?^_`{|}~", 'x.test'],
    ['with a dot', 'first.last@example.com', 'first.last', 'example.com'],
    ['with a double dot in the local part', 'a..b@example.com', 'a..b', 'example.com'],
    ['with dots around the local part', '.a.@example.com', '.a.', 'example.com'],
    ['quoted', '"a b"@example.com', '"a b"', 'example.com'],
    ['quoted, with an @ inside', '"a@b"@example.com', '"a@b"', 'example.com'],
    ['quoted, with an escaped quote', '"a\\"b"@example.com', '"a\\"b"', 'example.com'],
    ['quoted, empty', '""@example.com', '""', 'example.com'],
    ['at an IPv4 literal', 'user@[1.2.3.4]', 'user', '[1.2.3.4]'],
    ['at an IPv6 literal', 'user@[IPv6:2001:db8::1]', 'user', '[IPv6:2001:db8::1]'],
    ['at a general literal', 'user@[x400:c=de]', 'user', '[x400:c=de]'],
    ['at a single label', 'user@localhost', 'user', 'localhost'],
    ['at an internationalised domain', 'user@bücher.example', 'user', 'bücher.example'],
    ['at its ASCII form', 'user@xn--bcher-kva.example', 'user', 'xn--bcher-kva.example'],
    ['of another script', 'почта@пример.рф', 'почта', 'пример.рф'],
    ['at a name with combining marks', 'user@बैंक.भारत', 'user', 'बैंक.भारत'],
    ['at a name with an underscore', 'user@_srv.example.com', 'user', '_srv.example.com'],
    ['as the bare postmaster', 'Postmaster', 'Postmaster', ''],
  ])('%s', (_, address, localPart, domain) => {
    expect(parseAddress(address)).toEqual({ localPart, domain });
  });
});

describe('an address is refused', () => {
  test.each<[string, string]>([
    ['empty', ''],
    ['without @', 'user'],
    ['without a local part', '@example.com'],
    ['without a domain', 'user@'],
    ['with two @', 'a@b@example.com'],
    ['in angle brackets', '<user@example.com>'],
    ['with a leading bracket', '<user@example.com'],
    ['with a trailing bracket', 'user@example.com>'],
    ['as a list', 'a@x.example,b@z.example'],
    ['with a trailing comma', 'a@x.example,'],
    ['with a name', 'User <user@example.com>'],
    ['with a space in front', ' user@example.com'],
    ['with a space behind', 'user@example.com '],
    ['with a space inside', 'us er@example.com'],
    ['with a line end', 'user@example.com\r\n'],
    ['with a NUL', 'us\u0000er@example.com'],
    ['quoted, with a line end', '"a\r\nb"@example.com'],
    ['with an unfinished quote', '"user@example.com'],
    ['with a quote in the middle', 'a"b"@example.com'],
    ['with a lone backslash', 'a\\b@example.com'],
    ['quoted, with text after the quote', '"a"b@example.com'],
    ['with a leading dot of the domain', 'user@.example.com'],
    ['with a trailing dot of the domain', 'user@example.com.'],
    ['with an empty label', 'user@example..com'],
    ['with a hyphen at the start of a label', 'user@-example.com'],
    ['with a hyphen at the end of a label', 'user@example-.com'],
    ['with a label of 64 characters', `user@${'a'.repeat(64)}.com`],
    ['with a domain of 256 characters', `user@${'abc.'.repeat(63)}abcd`],
    ['with an unfinished literal', 'user@[1.2.3.4'],
    ['with a literal and something behind', 'user@[1.2.3.4].com'],
    ['with an empty literal', 'user@[]'],
    ['with a source route', '@relay.example:user@example.com'],
    ['as an almost postmaster', 'postmasters'],
  ])('%s', (_, address) => {
    expect(parseAddress(address)).toBeUndefined();
    expect(domainOf(address)).toBeUndefined();
  });
});

test('what an address was put together from is what it is taken apart into', () => {
  const atom = fc.stringMatching(/^[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]{1,20}$/);
  const quoted = fc.stringMatching(/^"([ -!#-[\]-~]|\\[ -~]){0,20}"$/);
  const label = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,10}[a-zA-Z0-9])?$/);
  const domain = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'));
  fc.assert(
    fc.property(fc.oneof(atom, quoted), domain, (localPart, host) => {
      expect(parseAddress(`${localPart}@${host}`)).toEqual({ localPart, domain: host });
      expect(domainOf(`${localPart}@${host}`)).toBe(host.toLowerCase());
    }),
  );
});

test('any text is either refused or comes apart without loss', () => {
  const piece = fc.constantFrom('a', '@', '.', '"', '\\', '<', '>', ' ', '[', ']', '1.2.3.4', 'ü', ',', '\n');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map((parts) => parts.join('')),
      ),
      (address) => {
        const parts = parseAddress(address);
        if (parts === undefined) return;
        expect([`${parts.localPart}@${parts.domain}`, parts.localPart]).toContain(address);
      },
    ),
  );
});

test('a hostile address is judged quickly', () => {
  const hostile = [
    `"${'\\"'.repeat(50_000)}@x`,
    `a@${'a-'.repeat(50_000)}`,
    `${'a.'.repeat(50_000)}@`,
    '@'.repeat(100_000),
  ];
  for (const address of hostile) expect(parseAddress(address)).toBeUndefined();
});

test('the bare postmaster has no domain', () => {
  expect(domainOf('postmaster')).toBeUndefined();
});

test('a host name is no longer than DNS allows', () => {
  const label = 'a'.repeat(63);
  expect(isDomain(`${label}.${label}.${label}.${label}`)).toBe(true);
  expect(isDomain(`${label}.${label}.${label}.${label}.a`)).toBe(false);
});

test('a parameter is found whatever its case, and keeps the case it came in', () => {
  const box = mailbox('a@x.test', [{ keyword: 'Size', value: '812' }, { keyword: 'SMTPUTF8' }]);
  expect(findParam(box, 'SIZE')).toEqual({ keyword: 'Size', value: '812' });
  expect(findParam(box, 'smtputf8')).toEqual({ keyword: 'SMTPUTF8' });
  expect(findParam(box, 'BODY')).toBeUndefined();
});
