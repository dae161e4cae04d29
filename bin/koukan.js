#!/usr/bin/env node
// The launcher. `--version` is answered before anything heavy is loaded; everything else is a command of the frame. CommonJS, which starts sooner.
const { version } = require('../package.json');

const args = process.argv.slice(2);
if (args.length === 1 && ['--version', '-V', '-v'].includes(args[0])) {
  process.stdout.write(`koukan/${version} node-${process.version}\n`);
} else {
  const { load } = require('../dist/bundle/load.cjs');
  load('run.cjs').run(args, require('node:path').dirname(__dirname));
}
