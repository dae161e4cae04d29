/** A router and a gateway that are to work together know each other's names. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { formatMistake } from '../../src/lib/config/invalid-config.ts';
import { jointMistakes } from '../../src/lib/config/joint-mistakes.ts';
import { parseGatewayConfig, parseRouterConfig } from '../../src/lib/config/load.ts';

const folder = path.resolve(import.meta.dirname, '../../config/local-test');
const routerText = readFileSync(path.join(folder, 'router.yaml'), 'utf8');
const gatewayText = readFileSync(path.join(folder, 'gateway.yaml'), 'utf8');

function mistakes(router: string, gateway: string): string[] {
  return jointMistakes(parseRouterConfig(router, 'router.yaml'), parseGatewayConfig(gateway, 'gateway.yaml')).map(
    formatMistake,
  );
}

it('the shipped pair does', () => {
  expect(mistakes(routerText, gatewayText)).toEqual([]);
});

it.each([
  [
    'a tag of a listener',
    routerText,
    gatewayText.replace('tag: smtp-mx', 'tag: smtp-nx'),
    /^gateway\.yaml:\d+:\d+: router\.yaml has no tag of sender 'ingress' 'smtp-nx'.*did you mean 'smtp-mx'/,
  ],
  [
    'the sender in a URL',
    routerText,
    gatewayText.replace('/senders/ingress/', '/senders/ingres/'),
    /^gateway\.yaml:\d+:\d+: router\.yaml has no sender 'ingres'.*did you mean 'ingress'/,
  ],
  [
    'the profile a router names',
    routerText.replace('tag: outbound', 'tag: outbond'),
    gatewayText,
    /^router\.yaml:\d+:\d+: gateway\.yaml has no smtp_output host 'outbond'.*did you mean 'outbound'/,
  ],
])('%s that the other does not know is a mistake with its place', (_, router, gateway, expected) => {
  const found = mistakes(router, gateway);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(expected);
});

it('says nothing of a router elsewhere', () => {
  const elsewhere = gatewayText
    .replaceAll('http://localhost:8000', 'http://router.example:8000')
    .replace('tag: smtp-mx', 'tag: smtp-nx');
  expect(mistakes(routerText, elsewhere)).toEqual([]);
});
