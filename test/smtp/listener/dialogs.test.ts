/** Plays every conversation of test/dialogs against a listener in front of a fake hop; see test/helpers/dialog.ts for the notation. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reply } from '../../../src/lib/core/response.ts';
import { type Dialog, parseDialog, playDialog, unescapeText } from '../../helpers/dialog.ts';
import { type FakeExchange, fakeHop } from '../../helpers/fake-hop.ts';
import { smtpService, testTls } from '../../helpers/smtp-service.ts';

const folder = join(import.meta.dirname, '../../dialogs');
const files = readdirSync(folder).filter((name) => name.endsWith('.smtp'));

describe('an SMTP session', () => {
  it.each(files)('goes as %s says', async (name) => {
    const dialog = parseDialog(readFileSync(join(folder, name), 'utf8'));
    const hop = fakeHop({
      mail: (from) => scripted(dialog, 'mail', from.address),
      rcpt: (to) => scripted(dialog, 'rcpt', to.address),
      data: () => scripted(dialog, 'data', '*'),
    });
    const options = new Set(dialog.settings.get('listener') ?? []);
    const maxBytes = Number(dialog.settings.get('maxBytes')?.[0] ?? 64 * 1024 * 1024);
    await using service = await smtpService({
      hop,
      maxBytes,
      config: {
        enableBdat: !options.has('no-bdat'),
        dsn: options.has('dsn'),
        ...(options.has('tls') ? { tls: testTls } : {}),
      },
      ...(options.has('auth') ? { authenticate: (user, secret) => user === 'alice' && secret === 'sesame' } : {}),
    });
    await playDialog(dialog, service);
    expect(hop.delivered.map(summary)).toEqual(
      (dialog.settings.get('delivered') ?? []).map((text) => unescapeText(text).toString('latin1')),
    );
  });
});

/** `@rcpt address 550 5.1.1 text`: what the fake hop answers; `*` is any address. */
function scripted(dialog: Dialog, step: string, address: string) {
  for (const rule of dialog.settings.get(step) ?? []) {
    const [, wanted, code, enhanced = '', text = ''] = /^(\S+) (\d+) (\S+) (.*)$/.exec(rule) ?? [];
    if (wanted === address || wanted === '*') return reply(Number(code), enhanced, text.replaceAll('\\n', '\n'));
  }
  return undefined;
}

/** A delivered message as `@delivered` writes it: paths with parameters, then the bytes. */
function summary({ mail, rcpts, body }: FakeExchange): string {
  const paths = [...mail, ...rcpts].map(({ address, params }) =>
    [`<${address}>`, ...params.map((p) => (p.value === undefined ? p.keyword : `${p.keyword}=${p.value}`))].join(' '),
  );
  return Buffer.from(`${paths.join(' ')} `).toString('latin1') + body;
}
