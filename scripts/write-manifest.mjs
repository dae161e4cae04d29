// Writes oclif.manifest.json, so that a command line loads the one command it runs and no other.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Plugin } from '@oclif/core';
import { writeCodeCache } from './write-code-cache.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const plugin = new Plugin({
  errorOnManifestCreate: true,
  ignoreManifest: true,
  respectNoCacheDefault: true,
  root,
  type: 'core',
});
await plugin.load();
// What runs is the same command in the bundle.
for (const command of Object.values(plugin.manifest.commands)) {
  command.relativePath = ['dist', 'bundle', `command-${command.id.replaceAll(':', '-')}.cjs`];
  command.isESM = false;
}
writeFileSync(new URL('../oclif.manifest.json', import.meta.url), `${JSON.stringify(plugin.manifest, null, 2)}\n`);
writeCodeCache();
