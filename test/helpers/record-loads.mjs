// Writes the URL of everything a process loads, ES modules and CommonJS, into the file that KOUKAN_LOADS names: for `--import`.
import { appendFileSync } from 'node:fs';
import { createRequire, register } from 'node:module';
import { pathToFileURL } from 'node:url';

const file = process.env.KOUKAN_LOADS;
const hook = `import { appendFileSync } from 'node:fs';
export async function load(url, context, next) { appendFileSync(${JSON.stringify(file)}, url + '\\n'); return next(url, context); }`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
process.on('exit', () => {
  const { cache } = createRequire(import.meta.url);
  appendFileSync(
    file,
    Object.keys(cache)
      .map((name) => `${pathToFileURL(name).href}\n`)
      .join(''),
  );
});
