// Writes the URL of everything a process loads, ES modules, CommonJS and chunks of the bundle, into the file that KOUKAN_LOADS names: for `--import`.
import { appendFileSync } from 'node:fs';
import { createRequire, register } from 'node:module';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';

const file = process.env.KOUKAN_LOADS;
const hook = `import { appendFileSync } from 'node:fs';
export async function load(url, context, next) { appendFileSync(${JSON.stringify(file)}, url + '\\n'); return next(url, context); }`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
vm.Script = class extends vm.Script {
  constructor(code, options) {
    super(code, options);
    appendFileSync(file, `${pathToFileURL(options.filename).href}\n`);
  }
};
process.on('exit', () => {
  const { cache } = createRequire(import.meta.url);
  appendFileSync(
    file,
    Object.keys(cache)
      .map((name) => `${pathToFileURL(name).href}\n`)
      .join(''),
  );
});
