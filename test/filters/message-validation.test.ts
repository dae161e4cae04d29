/** The message_validation filter in a real chain: the level of each message, as policies and the wire see it. */
import { describe, expect, it } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import { limits } from '../../src/lib/core/limits.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { messageValidationSignal } from '../../src/lib/core/signals/message-validation.ts';
import { openChain } from '../helpers/chain.ts';
import { fixture } from '../helpers/messages.ts';

const SMTPUTF8 = { keyword: 'SMTPUTF8' };
const WIRE_NAME = 'koukan.message_validation_filter.MessageValidationFilter';

interface Validated {
  readonly status: string | undefined;
  readonly err: string | undefined;
  readonly wire: unknown;
  readonly from: readonly string[] | undefined;
}

async function validate(message: Buffer | string, utf8 = false): Promise<Validated> {
  const bytes = Buffer.isBuffer(message) ? message : Buffer.from(message);
  const chain = openChain({ steps: [{ filter: 'message_validation' }] });
  await chain.mail('a@b.test', ...(utf8 ? [SMTPUTF8] : []));
  await chain.rcpt('c@d.test');
  const response = await chain.exchange.data(memoryBody(bytes));
  // It passes every message on as it is.
  expect(response.code).toBe(250);
  expect(chain.reached.data.map((reached) => reached.equals(bytes))).toEqual([true]);
  const found = chain.tx.signals.get(messageValidationSignal);
  return {
    status: found?.status,
    err: found?.err,
    wire: chain.published[WIRE_NAME],
    from: found?.headerFrom?.map(({ address }) => address),
  };
}

const head = 'From: Alice <a@b.test>\r\nDate: Mon, 5 Jan 2026 10:00:00 +0100\r\nMessage-ID: <1@b.test>\r\n';
const multipart = (body: string): string => `${head}Content-Type: multipart/mixed; boundary=b\r\n\r\n${body}`;

describe('a message is', () => {
  it.each([
    ['no-colon', 'NONE', 'MissingHeaderBodySeparatorDefect'],
    ['no-blank-line', 'NONE', "couldn't find end of rfc822 headers in 1048576"],
    ['utf8-headers', 'BASIC', 'invalid text encoding in headers'],
    ['latin1-headers', 'BASIC', 'invalid text encoding in headers'],
    ['control-in-header', 'BASIC', 'invalid text encoding in headers'],
    ['bad-from', 'BASIC', 'invalid from'],
    ['bad-date', 'BASIC', 'invalid date'],
    ['no-message-id', 'BASIC', 'missing/multiple message-id'],
    ['bad-to', 'MEDIUM', 'mime tree'],
    ['unterminated-multipart', 'MEDIUM', 'mime tree'],
    ['missing-boundary', 'MEDIUM', 'mime tree'],
    ['boundary-never-occurs', 'MEDIUM', 'mime tree'],
    ['inner-left-open', 'MEDIUM', 'mime tree'],
    ['bad-base64', 'MEDIUM', 'mime tree'],
    ['no-header-in-part', 'MEDIUM', 'mime tree'],
    ['mbox-line', 'MEDIUM', 'mime tree'],
    ['plain', 'HIGH', undefined],
    ['8bit-utf8', 'HIGH', undefined],
    ['windows-1251', 'HIGH', undefined],
    ['unknown-charset', 'HIGH', undefined],
    ['unknown-type', 'HIGH', undefined],
    ['related-in-alternative-in-mixed', 'HIGH', undefined],
    ['nested-message', 'HIGH', undefined],
    ['dsn', 'HIGH', undefined],
    ['smime-signed', 'HIGH', undefined],
    ['digest', 'HIGH', undefined],
    ['folded', 'HIGH', undefined],
    ['uuencode', 'HIGH', undefined],
  ])('%s: %s', async (name, status, err) => {
    expect(await validate(fixture(name))).toMatchObject({ status, err });
  });

  it('HIGH with UTF-8 in its header when the sender announced SMTPUTF8, and then only UTF-8', async () => {
    expect((await validate(fixture('utf8-headers'), true)).status).toBe('HIGH');
    expect((await validate(fixture('latin1-headers'), true)).status).toBe('BASIC');
  });

  it.each<[string, string, string]>([
    ['no header and no content', '', 'NONE'],
    ['only a blank line', '\r\n', 'BASIC'],
    ['a line without colon further down', `${head}what is this\r\n\r\nhi`, 'NONE'],
    ['bare line feeds', `${head}\r\nhi`.replaceAll('\r\n', '\n'), 'NONE'],
    ['a bare CR in the header', `${head}Subject: a\rb\r\n\r\nhi`, 'BASIC'],
    ['two From', `From: x@y.test\r\n${head}\r\nhi`, 'BASIC'],
    ['two Date', `Date: Mon, 5 Jan 2026 10:00:00 +0100\r\n${head}\r\nhi`, 'BASIC'],
    ['an empty From', head.replace('Alice <a@b.test>', ''), 'NONE'],
    ['an empty From, and a body', `${head.replace('Alice <a@b.test>', '')}\r\nhi`, 'BASIC'],
    ['a From that is only a group', `${head.replace('Alice <a@b.test>', 'friends:;')}\r\nhi`, 'BASIC'],
    ['several authors', `${head.replace('Alice <a@b.test>', 'x@y.test, a@b.test')}\r\nhi`, 'HIGH'],
    ['a Message-ID without brackets', `${head.replace('<1@b.test>', '1@b.test')}\r\nhi`, 'BASIC'],
    [
      'base64 that goes on after its end',
      `${head}Content-Transfer-Encoding: base64\r\n\r\nQQ==\r\nlist footer`,
      'MEDIUM',
    ],
    ['a content type that is none', `${head}Content-Type: text\r\n\r\nhi`, 'MEDIUM'],
    [
      'a fault inside a forwarded message',
      multipart('--b\r\nContent-Type: message/rfc822\r\n\r\nTo: <a@\r\n\r\nhi\r\n--b--\r\n'),
      'MEDIUM',
    ],
    [
      'a bad field in a part',
      multipart('--b\r\nContent-Type: text/plain; name="ü.txt"\r\n\r\nhi\r\n--b--\r\n'),
      'MEDIUM',
    ],
  ])('with %s: %#', async (_, message, status) => {
    expect((await validate(message)).status).toBe(status);
  });

  it('HIGH down to the depth of 20', async () => {
    const nested = (depth: number): string =>
      depth === 0
        ? '\r\nhi\r\n'
        : `Content-Type: multipart/mixed; boundary=b${depth}\r\n\r\n--b${depth}\r\n${nested(depth - 1)}\r\n--b${depth}--\r\n`;
    expect((await validate(head + nested(20))).status).toBe('HIGH');
    expect((await validate(head + nested(21))).status).toBe('MEDIUM');
  });

  it('NONE when its header does not end within a megabyte', async () => {
    const message = `${head}X: ${'x'.repeat(limits.messageHeaderBytes)}\r\n\r\nhi`;
    expect(await validate(message)).toMatchObject({ status: 'NONE', err: expect.stringContaining('1048576') });
  });
});

describe('the fact', () => {
  it('has on the wire the numbers and keys of the original, and no addresses', async () => {
    const received = 'Received: from a by b; Mon, 5 Jan 2026 10:00:00 +0100\r\nRECEIVED: x\r\n';
    expect((await validate(`${received}${head}\r\nhi`)).wire).toEqual({ status: 3, received_header_count: 2 });
    expect((await validate('Subject: x\r\n\r\nhi')).wire).toEqual({
      status: 1,
      received_header_count: 0,
      err: 'missing/multiple from',
    });
    expect((await validate('x')).wire).toEqual({ status: 0, err: 'MissingHeaderBodySeparatorDefect' });
  });

  it('has the authors, from every From field and however bad the message is', async () => {
    expect((await validate(`From: x@y.test, Z <z@y.test>\r\nFrom: w@v.test\r\n\r\n`)).from).toEqual([
      'x@y.test',
      'z@y.test',
      'w@v.test',
    ]);
    expect((await validate('From: a@b.test')).from).toEqual(['a@b.test']);
    expect((await validate('From: <a@\r\n\r\n')).from).toBeUndefined();
  });

  it('is not known before the message is', async () => {
    const chain = openChain({ steps: [{ filter: 'message_validation' }] });
    await chain.exchange.mail(mailbox('a@b.test'));
    expect(chain.tx.signals.get(messageValidationSignal)).toBeUndefined();
  });
});
