/**
 * The examples in the notes on filters and matchers, compiled as a router would: each `yaml` block is a chain, or a few of its steps, or
 * sections of a router.yaml. What it does not say comes from `BASE`.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { checkText } from '../../dist/lib/chain/check-config.js';

const OUTPUT = { filter: 'rest_output', static_endpoint: 'http://localhost:8001/senders/router/transactions' };

/** The senders, next hops and chains that examples may name. */
const BASE = {
  global: { mailer_daemon_mailbox: 'mailer-daemon@example.com' },
  rest_listener: { addr: ['127.0.0.1', 8000], session_uri: 'http://localhost:8000' },
  sender: [
    { name: 'example', output_chain: 'example', upstream_sender: 'submission' },
    { name: 'submission', output_chain: 'submission', retry: 'output_chain', tag: [{ name: 'copies' }] },
    { name: 'archive', output_chain: 'submission' },
  ],
  rest_endpoint: [
    {
      name: 'gateway',
      endpoint: 'http://localhost:8001/senders/router/transactions',
      sender: 'router',
      tag: 'outbound',
    },
    { name: 'application', endpoint: 'http://localhost:8002/senders/router/transactions', sender: 'router' },
  ],
  endpoint: [{ name: 'submission', chain: [OUTPUT] }],
  storage: { url: 'sqlite:///example.sqlite' },
};

export function yamlBlocks(markdown) {
  return [...markdown.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text);
}

/** Says what is wrong with an example; `registry` is asked for its steps. */
export async function checkExample(block, registry) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-docs-'));
  try {
    const document = documentOf(parse(block), registry);
    writeKeys(document, folder);
    const file = path.join(folder, 'router.yaml');
    const steps = async () => ({ registry, mistakes: [] });
    const { mistakes, warnings } = await checkText(stringify(document), file, steps, 'router');
    return [...mistakes.map(({ message }) => message), ...warnings];
  } catch (error) {
    return [String(error)];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function documentOf(example, registry) {
  if (Array.isArray(example)) {
    const isWhole = registry.stepNamed(example.at(-1)?.filter)?.kind === 'output';
    return laidOver({ endpoint: [{ name: 'example', chain: isWhole ? example : [...example, OUTPUT] }] });
  }
  const named =
    example.endpoint?.some(({ name }) => name === 'example') || example.sender?.some(({ name }) => name === 'example');
  const chain = { endpoint: [{ name: 'example', chain: [OUTPUT] }, ...(example.endpoint ?? [])] };
  return laidOver(named ? example : { ...example, ...chain });
}

/** What has a name replaces what has the same name. */
function laidOver(example) {
  const sections = Object.entries({ ...BASE, ...example }).map(([key, value]) => {
    const base = BASE[key];
    if (!Array.isArray(base) || !Array.isArray(value) || base === value) return [key, value];
    return [key, [...base.filter(({ name }) => !value.some((each) => each.name === name)), ...value]];
  });
  return Object.fromEntries(sections);
}

/** Every private key that is named is there. */
function writeKeys(document, folder) {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  const visit = (value, key) => {
    if (key === 'key' && typeof value === 'string') {
      mkdirSync(path.join(folder, path.dirname(value)), { recursive: true });
      writeFileSync(path.join(folder, value), pem);
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, inner] of Object.entries(value)) visit(inner, name);
    }
  };
  visit(document, '');
}
