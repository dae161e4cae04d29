/** What is wrong with a configuration or a database is said at start, with its place, and nothing is left running. */
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, it } from 'vitest';
import { databases } from '../helpers/databases.ts';
import { Journey } from '../helpers/journey.ts';
import { projectRoot } from '../helpers/process.ts';

const CONFIG_ERROR = { code: 78, signal: null };
const TLS = path.join(projectRoot, 'test/fixtures/tls/localhost');

/** What is changed in a file of a journey that would work; where the mistake then begins, and what is said of it. */
interface Mistake {
  readonly what: string;
  readonly file: 'router' | 'gateway';
  readonly from: string;
  readonly to: string;
  readonly at: string;
  readonly words: RegExp;
}

const mistakes: readonly Mistake[] = [
  {
    what: 'an unknown key',
    file: 'router',
    from: 'session_ttl:',
    to: 'sesion_ttl:',
    at: 'sesion_ttl',
    words: /unknown key 'sesion_ttl' \(did you mean 'session_ttl'\?\)/,
  },
  {
    what: 'an unknown filter',
    file: 'router',
    from: 'received_header',
    to: 'recieved_header',
    at: 'recieved_header',
    words: /unknown filter 'recieved_header' \(did you mean 'received_header'\?\)/,
  },
  {
    what: 'an unknown sender',
    file: 'router',
    from: 'notification: {sender: bounces}',
    to: 'notification: {sender: bounce}',
    at: 'bounce}',
    words: /'bounce'.*did you mean 'bounces'/,
  },
  {
    what: 'an unknown REST output',
    file: 'gateway',
    from: 'endpoint: ingress',
    to: 'endpoint: ingres',
    at: 'ingres, sender',
    words: /'ingres'.*did you mean 'ingress'/,
  },
  {
    what: 'a certificate that is not there',
    file: 'gateway',
    from: 'tag: smtp}',
    to: `tag: smtp, cert: none.pem, key: ${TLS}.key}`,
    at: 'none.pem, key',
    words: /'cert': there is no file .*none\.pem/,
  },
  {
    what: 'a certificate without its key',
    file: 'router',
    from: '  session_uri:',
    to: `  cert: ${TLS}.crt\n  key: ${TLS}.crt\n  session_uri:`,
    at: 'cert: ',
    words: /'cert' and 'key' are no working pair/,
  },
];

describe('a start with a mistake in the configuration', () => {
  it.concurrent.for(mistakes)('ends with 78 and names the place: $what', async (mistake, context) => {
    const { expect } = context;
    const journey = await Journey.open(context);
    const file = mistake.file === 'router' ? journey.routerFile : journey.gatewayFile;
    const text = await readFile(file, 'utf8');
    expect(text).toContain(mistake.from);
    const changed = text.replace(mistake.from, mistake.to);
    await writeFile(file, changed);
    const daemon = journey.run('serve', journey.routerFile, journey.gatewayFile);
    expect(await daemon.exited).toEqual(CONFIG_ERROR);
    expect(daemon.stdout).toBe('');
    const [line = '', ...more] = daemon.stderr.trimEnd().split('\n');
    expect(line.startsWith(`${file}:${placeOf(changed, mistake.at)}: `), line).toBe(true);
    expect(line).toMatch(mistake.words);
    expect(more).toEqual([]);
  });

  it.concurrent('ends when a file is missing', async (context) => {
    const { expect } = context;
    const journey = await Journey.open(context);
    await rm(journey.gatewayFile);
    const daemon = journey.run('serve', journey.routerFile, journey.gatewayFile);
    expect(await daemon.exited).toEqual({ code: 66, signal: null });
    expect(daemon.stderr).toContain(journey.gatewayFile);
  });

  it.concurrent.for([
    ['router', 'router'],
    ['gateway', 'gateway'],
    ['msa', 'gateway'],
  ] as const)('ends when a port is in use: %s', async ([name, half], context) => {
    const { expect } = context;
    const journey = await Journey.open(context);
    const other = createServer().listen(journey.ports[name], '127.0.0.1');
    await once(other, 'listening');
    context.onTestFinished(() => void other.close());
    const file = half === 'router' ? journey.routerFile : journey.gatewayFile;
    const address = `[127.0.0.1, ${journey.ports[name]}]`;
    const place = placeOf(await readFile(file, 'utf8'), address);
    for (const args of [
      [half, file],
      ['serve', journey.routerFile, journey.gatewayFile],
    ]) {
      const daemon = journey.run(...args);
      expect(await daemon.exited).toEqual({ code: 69, signal: null });
      expect(daemon.stderr.split('\n')).toContain(
        `${file}:${place}: cannot listen on 127.0.0.1:${journey.ports[name]}: the port is in use by another process`,
      );
      expect(daemon.stderr).not.toContain('an SMTP connection failed');
    }
  });
});

describe('a PostgreSQL without a schema', () => {
  it('is refused with the command that helps, and that command helps', async (context) => {
    const { expect } = context;
    const postgres = databases.find(({ name }) => name === 'postgres');
    const database = await postgres?.create();
    if (database === undefined) throw new Error('there is no PostgreSQL to test on');
    context.onTestFinished(() => database.drop());
    const journey = await Journey.open(context, { databaseUrl: database.url });
    const refused = journey.run('router', journey.routerFile);
    expect(await refused.exited).toEqual(CONFIG_ERROR);
    expect(refused.stderr).toMatch(/has no Koukan schema yet: run `koukan db init --url postgresql:\/\/\S+`/);
    expect(refused.stderr).not.toContain(`:${new URL(database.url).password}@`);
    const init = journey.run('db', 'init', '--url', database.url);
    expect(await init.exited).toMatchObject({ code: 0 });
    const router = await journey.router();
    expect(await router.terminate()).toEqual({ code: 0, signal: null });
  });

  it('that cannot be reached is named, without its password', async (context) => {
    const { expect } = context;
    const journey = await Journey.open(context, {
      databaseUrl: 'postgresql://koukan:secret@127.0.0.1:1/koukan',
    });
    const router = journey.run('router', journey.routerFile);
    const { code } = await router.exited;
    expect(code).toBe(69);
    expect(router.stderr).toMatch(/^cannot connect to postgresql:\/\/\S+127\.0\.0\.1:1\/koukan: .*ECONNREFUSED/m);
    expect(router.stderr).not.toContain('secret');
  });
});

/** `line:column` of where this begins. */
function placeOf(text: string, part: string): string {
  const before = text.slice(0, text.indexOf(part)).split('\n');
  return `${before.length}:${(before.at(-1) ?? '').length + 1}`;
}
