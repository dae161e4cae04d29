#!/usr/bin/env node
// The launcher. `--version` is answered before anything heavy is loaded; everything else is a command of the frame.
import { readFileSync } from 'node:fs';

const args = process.argv.slice(2);
if (args.length === 1 && ['--version', '-V', '-v'].includes(args[0])) {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  process.stdout.write(`koukan/${manifest.version} node-${process.version}\n`);
} else {
  const { load } = await import('../dist/bundle/load.js');
  await load('run.cjs').run(args, import.meta.url);
}
