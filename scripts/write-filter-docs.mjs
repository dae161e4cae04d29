// Writes the reference pages in docs/ from the program and compiles the examples in them; with --check only says what is not right. Needs a build.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { allPages } from './docs/pages.mjs';

const docs = new URL('../docs/', import.meta.url);
const isCheck = process.argv.includes('--check');

const { pages, mistakes } = await allPages();
const readText = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  }
};

for (const [name, text] of pages) {
  const file = new URL(name, docs);
  if (readText(file) === text) continue;
  if (isCheck) mistakes.push(`docs/${name} is not what the program says: run \`npm run docs\``);
  else {
    mkdirSync(new URL('.', file), { recursive: true });
    writeFileSync(file, text);
  }
}

// Of what is no more.
for (const folder of ['filters', 'reference']) {
  for (const name of readdirSync(new URL(`${folder}/`, docs)).filter((each) => each.endsWith('.md'))) {
    if (pages.has(`${folder}/${name}`)) continue;
    if (isCheck) mistakes.push(`docs/${folder}/${name} is about nothing that exists: run \`npm run docs\``);
    else rmSync(new URL(`${folder}/${name}`, docs));
  }
}

for (const mistake of mistakes) process.stderr.write(`${mistake}\n`);
if (mistakes.length > 0) process.exitCode = 1;
