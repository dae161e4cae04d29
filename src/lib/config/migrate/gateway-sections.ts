/** Sections of older gateways (protocol §0.1). */
import { isMap } from 'yaml';
import { mapAt, mapsAt, type OlderDocument, take, textOf } from './older-document.ts';
import { createUrl } from './router-steps.ts';

const OWN_KEYS = new Set(['use_system_smtplib', 'hosts']);

export function migrateSmtpOutput(doc: OlderDocument): void {
  const output = mapAt(doc.root, 'smtp_output');
  if (output === undefined) return;
  const hosts = output.items
    .filter(({ value }) => isMap(value))
    .map(({ key }) => String(key))
    .filter((key) => !OWN_KEYS.has(key));
  for (const host of hosts) {
    const profile = output.get(host);
    output.delete(host);
    doc.section(output, 'hosts').set(host, profile);
    doc.note(profile, `'${host}' moved below 'hosts', where the key is the tag of the transaction`);
  }
}

export function migrateRestOutput(doc: OlderDocument): void {
  for (const output of mapsAt(doc.root, 'rest_output')) {
    const url = textOf(output, 'endpoint');
    if (url === undefined || !URL.canParse(url)) continue;
    const host = take(output, 'host') ?? take(output, 'http_host');
    if (typeof host !== 'string') continue;
    output.set('endpoint', createUrl(url, host));
    doc.note(output, `'host' became part of the endpoint's URL`);
    for (const service of servicesAt(doc, textOf(output, 'name'))) {
      if (!service.has('sender')) service.set('sender', host);
    }
  }
}

function servicesAt(doc: OlderDocument, endpoint: string | undefined) {
  const listener = mapAt(doc.root, 'smtp_listener');
  return listener === undefined ? [] : mapsAt(listener, 'services').filter((s) => textOf(s, 'endpoint') === endpoint);
}
