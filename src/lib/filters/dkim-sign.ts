/**
 * `dkim_sign`: signs the message as it is when it gets here (RFC 6376), with one key or with every key of a list that is meant for its
 * author's domain, rsa and ed25519 side by side. What stands later in the chain must not change what was signed.
 */
import { z } from 'zod';
import type { BodyHashAsk } from '../auth/dkim/body-hashes.ts';
import { type ReadSigned, readSigned } from '../auth/dkim/read-signed.ts';
import { DkimSigner, type SigningParty } from '../auth/signing/dkim-signature.ts';
import { DEFAULT_HEADERS, DEFAULT_OVERSIGNED, headerChoice } from '../auth/signing/signed-headers.ts';
import { checkKeyFile, KeyFileError, SigningKey } from '../auth/signing/signing-key.ts';
import { type ChainEnv, defineFilter, type Filter, type Next, type TxContext } from '../chain/filter.ts';
import { ConfigError, type ConfigMistake, type ConfigPath } from '../config/source.ts';
import { type Body, prefixedBody } from '../core/body.ts';
import type { Clock } from '../core/deps.ts';
import { type Response, reply } from '../core/response.ts';
import { asciiDomain, isWithin } from '../message/ascii-domain.ts';
import { headerFromDomains } from '../message/header-from.ts';

/** As DNS has it: what is written into a signature is ASCII. */
const name = (error: string) =>
  z
    .string()
    .refine((text) => asciiDomain(text) !== undefined, { error })
    .transform((text) => asciiDomain(text) ?? text);
const domain = name('expected a domain');
const selector = name('expected a selector, such as s2026');
const keyFile = z.string().min(1);
const headerName = z
  .string()
  .regex(/^[!-9;-~]+$/, { error: 'expected a header name' })
  .transform((text) => text.toLowerCase())
  .refine((text) => !['dkim-signature', 'return-path', 'received'].includes(text), {
    error: 'changes on the way, so a signature must not cover it',
  });
const identity = z.string().regex(/^[!-:<-~]*@[\w.-]+$/, { error: 'expected @domain or local@domain' });

const keyOptions = {
  domain: domain.describe('The signing domain (`d=`).'),
  selector: selector.describe('The key’s name below `_domainkey` (`s=`).'),
  key: keyFile.describe('PEM file of the private key, rsa or ed25519; read again when it changes.'),
};

const config = z
  .strictObject({
    domain: keyOptions.domain.optional(),
    selector: keyOptions.selector.optional(),
    key: keyOptions.key.nullish(),
    keys: z
      .array(
        z.strictObject({
          ...keyOptions,
          when: z
            .enum(['aligned', 'always'])
            .default('aligned')
            .describe('Sign when the From address is in the domain or below it, or every message.'),
          identity: identity.optional().describe('The agent or user signed for (`i=`), in or below the domain.'),
        }),
      )
      .min(1)
      .optional()
      .describe('Several keys, each used for the messages it is meant for; instead of domain, selector and key.'),
    headers: z
      .array(headerName)
      .min(1)
      .refine((names) => names.includes('from'), { error: 'must contain from (RFC 6376 §5.4)' })
      .optional()
      .describe('The header fields that are signed; by default those that say who, to whom, when and what.'),
    oversign: z
      .array(headerName)
      .optional()
      .describe('Fields that nobody may add another of; by default those that a message has once.'),
    canonicalization: z
      .enum(['relaxed/simple', 'relaxed/relaxed', 'simple/simple', 'simple/relaxed'])
      .default('relaxed/simple')
      .describe('How header and body are normalised before they are hashed (`c=`).'),
    expires_after: z
      .number()
      .positive()
      .max(315_360_000)
      .optional()
      .describe('Seconds until the signature expires (`x=`); never by default.'),
  })
  .superRefine((c, context) => {
    const single = [c.domain, c.selector, c.key].filter((each) => each !== undefined && each !== null);
    if (c.keys === undefined && single.length < 3) {
      const message = 'needs domain, selector and key, or a list of keys; leave the filter out to send unsigned';
      context.addIssue({ code: 'custom', message });
    }
    if (c.keys !== undefined && single.length > 0) {
      context.addIssue({ code: 'custom', message: 'has either domain, selector and key, or keys, not both' });
    }
    for (const [i, key] of (c.keys ?? []).entries()) {
      if (key.identity === undefined || isWithin(asciiDomain(key.identity.split('@')[1] ?? '') ?? '', key.domain))
        continue;
      context.addIssue({ code: 'custom', path: ['keys', i, 'identity'], message: `must be in or below ${key.domain}` });
    }
  });

type DkimSignConfig = z.output<typeof config>;

/** Under which names and for whose messages a key signs. */
interface OwnKey extends SigningParty {
  readonly isAlways: boolean;
}

const headerTooLarge: Response = reply(554, '5.3.4', 'the header is too large to be signed');
const signingFailed: Response = reply(451, '4.7.5', 'the message could not be signed');

export const dkimSign = defineFilter<DkimSignConfig>({
  name: 'dkim_sign',
  aliases: ['dkim'],
  summary: 'Signs the message with DKIM.',
  config,
  checkFiles: (c, resolvePath) => {
    const mistakes: ConfigMistake[] = [];
    for (const { path, file } of asksOf(c)) orMistake(mistakes, path, file, () => checkKeyFile(resolvePath(file)));
    return mistakes;
  },
  create: (c, env) => {
    const signing = new Signing(c, env);
    return () => signing;
  },
});

/** One configuration of the filter, for all messages. */
class Signing implements Filter {
  readonly #clock: Clock;
  readonly #keys: readonly OwnKey[];
  readonly #signer: DkimSigner<OwnKey>;
  readonly #plan: { readonly planned: undefined; readonly hashes: readonly BodyHashAsk[] };

  constructor(c: DkimSignConfig, env: ChainEnv) {
    const [header, body] = c.canonicalization.split('/') as ['relaxed' | 'simple', 'relaxed' | 'simple'];
    this.#clock = env.deps.clock;
    this.#keys = loadKeys(c, env);
    const rules = {
      canonicalization: { header, body },
      headers: headerChoice(c.headers ?? DEFAULT_HEADERS, c.oversign ?? DEFAULT_OVERSIGNED),
      ...(c.expires_after !== undefined && { expiresAfterMs: c.expires_after * 1000 }),
    };
    this.#signer = new DkimSigner(rules, this.#keys);
    this.#plan = { planned: undefined, hashes: [{ canonicalization: body }] };
  }

  /** Waits only for what is not there: key files that are due for a look, the bytes of a message that is not in memory, the signatures. */
  data(tx: TxContext, body: Body, next: Next<Body>): Promise<Response> {
    if (this.#keys.some(({ key }) => key.isDueForALook)) return this.#afterALook(tx, body, next);
    const message = readSigned(body, () => this.#plan);
    return message instanceof Promise
      ? message.then((read) => this.#sign(tx, body, read, next))
      : this.#sign(tx, body, message, next);
  }

  async #afterALook(tx: TxContext, body: Body, next: Next<Body>): Promise<Response> {
    // Read before anything is waited for: the client may leave meanwhile, and its message with it.
    const reading = readSigned(body, () => this.#plan);
    const [message] = await Promise.all([reading, ...this.#keys.map(({ key }) => key.refresh())]);
    return this.#sign(tx, body, message, next);
  }

  #sign(tx: TxContext, body: Body, message: ReadSigned<undefined> | undefined, next: Next<Body>): Promise<Response> {
    if (message === undefined) return Promise.resolve(headerTooLarge);
    const due = keysFor(this.#keys, message.headerBlock);
    if (due.length === 0) return next(body);
    return this.#signer.fields(message, due, this.#clock.now()).then(
      (fields) => next(prefixedBody(Buffer.from(fields, 'latin1'), body)),
      (error: unknown) => {
        // OpenSSL can refuse for reasons of its own: the message waits until somebody has seen to it.
        tx.log.error({ error }, 'signing failed');
        return signingFailed;
      },
    );
  }
}

function keysFor(keys: readonly OwnKey[], headerBlock: Buffer): readonly OwnKey[] {
  if (keys.every(({ isAlways }) => isAlways)) return keys;
  const { domains: authors } = headerFromDomains(headerBlock);
  return keys.filter(({ isAlways, domain: own }) => isAlways || authors.some((author) => isWithin(author, own)));
}

/** Keys that are used twice are read once. Throws `ConfigError` with every key that cannot be used. */
function loadKeys(c: DkimSignConfig, env: ChainEnv): readonly OwnKey[] {
  const mistakes: ConfigMistake[] = [];
  const keys = asksOf(c).flatMap(({ path, file, ...names }): OwnKey[] => {
    const key = orMistake(mistakes, path, file, () => new SigningKey(env.resolvePath(file), env.deps));
    return key === undefined ? [] : [{ ...names, key }];
  });
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return keys;
}

/** A key file that cannot be used is a mistake of the configuration. */
function orMistake<T>(mistakes: ConfigMistake[], path: ConfigPath, file: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof KeyFileError)) throw error;
    mistakes.push({ path, message: `${file} ${error.message}` });
    return undefined;
  }
}

interface KeyAsk extends Omit<OwnKey, 'key'> {
  readonly path: ConfigPath;
  readonly file: string;
}

function asksOf(c: DkimSignConfig): readonly KeyAsk[] {
  if (c.keys === undefined) {
    return [{ domain: c.domain ?? '', selector: c.selector ?? '', isAlways: true, path: ['key'], file: c.key ?? '' }];
  }
  return c.keys.map(({ domain: own, selector: keyName, key, when, identity: agent }, i) => ({
    domain: own,
    selector: keyName,
    ...(agent !== undefined && { identity: agent }),
    isAlways: when === 'always',
    path: ['keys', i, 'key'],
    file: key,
  }));
}
