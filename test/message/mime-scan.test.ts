/** What the scanner makes of messages, good and bad, and that it makes the same of them however they are cut. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import { limits } from '../../src/lib/core/limits.ts';
import { type MimePart, walkParts } from '../../src/lib/message/mime/part.ts';
import { scanMime } from '../../src/lib/message/mime/scan.ts';
import { MimeScanner } from '../../src/lib/message/mime/scanner.ts';
import { fixture, fixtureNames, piecewise } from '../helpers/messages.ts';

/** `mixed(alternative(text/plain,text/html),image/png)` */
function shape(part: MimePart): string {
  if (part.parts.length === 0) return part.type;
  return `${part.type.replace('multipart/', '')}(${part.parts.map(shape).join(',')})`;
}

const defectsOf = (message: MimePart): readonly string[] => [...walkParts(message)].flatMap((part) => part.defects);

interface Scanned {
  readonly message: MimePart;
  /** What the sinks got, in order. */
  readonly contents: readonly string[];
}

/** Writes the pieces one by one, without the driver that puts small ones together. */
function scan(pieces: readonly Buffer[], depthMax?: number): Scanned {
  const contents: string[] = [];
  const scanner = new MimeScanner({
    ...(depthMax !== undefined && { depthMax }),
    sinkFor: () => {
      const at = contents.push('') - 1;
      return {
        write: (bytes) => {
          contents[at] += bytes.toString('latin1');
        },
        end: () => undefined,
      };
    },
  });
  for (const piece of pieces) {
    const lent = Buffer.from(piece);
    scanner.write(lent);
    lent.fill('!');
  }
  return { message: scanner.end(), contents };
}

const whole = (text: string | Buffer, depthMax?: number): Scanned =>
  scan([typeof text === 'string' ? Buffer.from(text, 'latin1') : text], depthMax);

/** Everything there is to compare, as plain data. */
const plain = ({ message, contents }: Scanned): unknown => ({
  contents,
  parts: [...walkParts(message)].map((part) => ({
    ...{ ...part },
    shape: shape(part),
    defects: part.defects,
    params: [...part.params],
  })),
});

describe('the structure of a message', () => {
  it.each([
    ['plain', 'text/plain', []],
    ['unterminated-multipart', 'mixed(text/plain,text/plain)', ['unterminatedMultipart']],
    ['missing-boundary', 'multipart/mixed', ['boundaryMissing']],
    ['boundary-never-occurs', 'multipart/mixed', ['boundaryNotFound']],
    ['inner-left-open', 'mixed(alternative(text/plain,text/html),application/pdf)', ['unterminatedMultipart']],
    ['no-header-in-part', 'mixed(text/plain,text/plain)', ['missingSeparator', 'missingSeparator']],
    ['no-colon', 'text/plain', ['missingSeparator']],
    ['no-blank-line', 'text/plain', ['missingSeparator']],
    ['mbox-line', 'text/plain', ['envelopeLine']],
    ['control-in-header', 'text/plain', ['controlCharacter']],
    ['unknown-charset', 'text/plain', ['unknownCharset']],
    ['related-in-alternative-in-mixed', 'mixed(alternative(text/plain,related(text/html,image/png)),text/csv)', []],
    ['nested-message', 'mixed(text/plain,message/rfc822(alternative(text/plain,text/html)))', []],
    ['digest', 'digest(message/rfc822(text/plain),message/rfc822(text/plain))', []],
    ['smime-signed', 'signed(text/plain,application/pkcs7-signature)', []],
    ['empty-parts', 'mixed(text/plain,application/octet-stream,text/html)', []],
    ['folded', 'text/plain', []],
  ])('of %s is %s', async (name, expectedShape, expectedDefects) => {
    const message = await scanMime(memoryBody(fixture(name)));
    expect(shape(message)).toBe(expectedShape);
    expect(defectsOf(message)).toEqual(expectedDefects);
  });

  it('says where each content lies in the message', () => {
    const bytes = fixture('related-in-alternative-in-mixed');
    const { message, contents } = whole(bytes);
    const leaves = [...walkParts(message)].filter(({ parts }) => parts.length === 0);
    expect(leaves.map(({ start, end }) => bytes.toString('latin1', start, end))).toEqual(contents);
    expect(contents).toEqual(['logo', '<img src="cid:logo@a.test">', 'iVBORw0KGgo=', 'a,b\r\n1,2']);
    expect(bytes.toString('latin1', message.start, message.end)).toMatch(/^This is a message.*epilogue\r\n$/s);
  });

  it('unfolds fields, and reads each as UTF-8 or, where it is none, as Latin-1', () => {
    const text = Buffer.concat([
      Buffer.from('A: one\r\n\ttwo\r\n  three \r\nB: ü\r\nC: '),
      Buffer.from('ü', 'latin1'),
      Buffer.from('\r\n\r\n'),
    ]);
    const { message } = whole(text);
    expect(message.headers).toEqual([
      { name: 'A', value: 'one\ttwo  three' },
      { name: 'B', value: 'ü' },
      { name: 'C', value: 'ü' },
    ]);
    expect(message.headerCharset).toBe('other');
  });

  it('takes bare line feeds for line ends, and says so', () => {
    const { message, contents } = whole(
      'A: b\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\none\n--x\n\ntwo\n--x--\n',
    );
    expect(contents).toEqual(['one', 'two']);
    expect(defectsOf(message)).toEqual(['bareLf', 'bareLf', 'bareLf']);
  });
});

describe('a boundary', () => {
  const multipart = (boundary: string, body: string): Scanned =>
    whole(`Content-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n${body}`);

  it('may begin like another one', () => {
    const inner = 'Content-Type: multipart/mixed; boundary=ab\r\n\r\n--ab\r\n\r\none\r\n--ab--\r\n';
    const { message, contents } = multipart('a', `--a\r\n${inner}--a\r\n\r\ntwo\r\n--a--\r\n`);
    expect(shape(message)).toBe('mixed(mixed(text/plain),text/plain)');
    expect(contents).toEqual(['one', 'two']);
  });

  it('ends a part only on a line of its own, white space after it allowed', () => {
    const { contents } = multipart(
      'b',
      '--b  \t\r\n\r\n --b\r\nx--b\r\n--bb\r\n--b-\r\n---b\r\n--b-- \r\n--b\r\nnot me',
    );
    expect(contents).toEqual([' --b\r\nx--b\r\n--bb\r\n--b-\r\n---b']);
  });

  it('may stand on the first line and on the last, without a line end', () => {
    expect(multipart('b', '--b\r\n\r\nx\r\n--b--').contents).toEqual(['x']);
  });

  it('of a part around it ends whatever is inside', () => {
    const inner = 'Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nA: b';
    const { message } = multipart('b', `--b\r\n${inner}\r\n--b\r\n\r\nlast\r\n--b--`);
    expect(shape(message)).toBe('mixed(message/rfc822(mixed(text/plain)),text/plain)');
    expect(message.defects).toEqual([]);
  });

  it('that is longer than anybody writes is none', () => {
    expect(multipart('b'.repeat(limits.mimeBoundaryBytes + 1), '').message.defects).toEqual(['boundaryMissing']);
  });
});

describe('limits', () => {
  it('what nests deeper than asked for is one part', () => {
    const open = (depth: number): string =>
      depth === 0 ? 'X: y\r\n\r\nbottom' : `Content-Type: message/rfc822\r\n\r\n${open(depth - 1)}`;
    const { message, contents } = whole(open(500), 3);
    const parts = [...walkParts(message)];
    expect(parts.map(({ depth }) => depth)).toEqual([0, 1, 2, 3]);
    expect(parts.at(-1)?.defects).toEqual(['tooDeep']);
    expect(contents).toEqual([open(496)]);
  });

  it('parts beyond the number that is followed are left out', () => {
    const parts = '--b\r\n\r\nx\r\n'.repeat(limits.mimeParts + 50);
    const { message, contents } = whole(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${parts}--b--\r\n`);
    expect(1 + message.parts.length).toBe(limits.mimeParts);
    expect(contents).toHaveLength(limits.mimeParts - 1);
    expect(message.defects).toEqual(['tooManyParts']);
  });

  it('a header that does not end becomes content where it is too long', () => {
    const { message, contents } = whole(`A: b\r\nB: ${'x'.repeat(limits.messageHeaderBytes)}\r\n\r\nbody`);
    expect(message.headers).toEqual([{ name: 'A', value: 'b' }]);
    expect(message.defects).toContain('headerTooLong');
    expect(contents[0]).toMatch(/^B: x+\r\n\r\nbody$/);
  });

  it('fields beyond the number that is kept are left out', () => {
    const { message } = whole(`${'a:\r\n'.repeat(limits.mimeHeaders + 10)}\r\n`);
    expect(message.headers).toHaveLength(limits.mimeHeaders);
    expect(message.defects).toContain('tooManyHeaders');
  });
});

/** Text that looks like messages, more or less. */
const crumbs = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '\r\n',
        '\n',
        '\r',
        '--',
        '--b',
        '--c',
        '--b--',
        '\r\n--b\r\n',
        '\r\n\r\n',
        'A: b\r\n',
        ' ',
        'x',
        '=',
        ':',
      ),
      fc.constantFrom(
        'Content-Type: multipart/mixed; boundary=b\r\n',
        'Content-Type: multipart/alternative; boundary="c"\r\n\r\n',
        'Content-Type: message/rfc822\r\n\r\n',
        'Content-Transfer-Encoding: base64\r\n',
        'QUJD',
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    ),
    { maxLength: 40 },
  )
  .map((pieces) => Buffer.from(pieces.join('')));

describe('however a message is cut', () => {
  it.each(fixtureNames)('%s comes out the same byte by byte', (name) => {
    const bytes = fixture(name);
    const single = [...bytes].map((_, i) => bytes.subarray(i, i + 1));
    expect(plain(scan(single))).toEqual(plain(whole(bytes)));
  });

  it('so does anything else', () => {
    fc.assert(
      fc.property(crumbs, fc.array(fc.nat({ max: 12 })), (bytes, sizes) => {
        const pieces: Buffer[] = [];
        let at = 0;
        for (const size of [...sizes, bytes.length]) {
          pieces.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(plain(scan(pieces))).toEqual(plain(whole(bytes)));
      }),
      { numRuns: 500 },
    );
  });

  it('a body in crumbs is scanned like one in memory', async () => {
    const bytes = Buffer.concat([fixture('related-in-alternative-in-mixed'), Buffer.alloc(200_000, 'x')]);
    for (const pieceBytes of [1, 1000, 100_000]) {
      expect(await scanMime(piecewise(bytes, pieceBytes))).toEqual(await scanMime(memoryBody(bytes)));
    }
  });
});

describe('any bytes', () => {
  it('have a structure, and every content lies inside them', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          crumbs,
          fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
        ),
        (bytes) => {
          for (const { start, end } of walkParts(whole(bytes).message)) {
            expect(0 <= start && start <= end && end <= bytes.length).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
