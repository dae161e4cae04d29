import { expect, it } from 'vitest';
import { quotedSubject } from '../../src/lib/dev/quoted-subject.ts';

it.each([
  ['From: a@x.example\r\nSubject: hello\r\n\r\nSubject: not me', ', "hello"'],
  ['Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n', ', "Grüße"'],
  ['Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?b?IGF1cyBLw7Zsbg==?=\r\nTo: b\r\n\r\n', ', "Grüße aus Köln"'],
  ['SUBJECT: folded\n\tonce\n\n', ', "folded once"'],
  ['Subject: =?utf-8?q?=1B[31mred?=\r\n\r\n', ', " [31mred"'],
  ['Subject: =?x-no?q?=FF?=\r\n\r\n', undefined],
  ['To: b@x.example\r\n\r\nSubject: not me', ''],
])('%j is shown as people read it', (message, shown) => {
  const text = quotedSubject(Buffer.from(message));
  if (shown === undefined) expect(text).toMatch(/^, ".*"$/);
  else expect(text).toBe(shown);
});
