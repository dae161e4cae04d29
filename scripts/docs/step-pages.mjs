/** The pages of filters, outputs, routing policies and matchers: what their definitions say, and the notes of people. */
import { existsSync, readFileSync } from 'node:fs';
import { checkExample, yamlBlocks } from './examples.mjs';
import { optionsTable } from './schema-tables.mjs';

const docs = new URL('../../docs/', import.meta.url);
const PHASES = ['mail', 'rcpt', 'data'];

/**
 * Notes are written by hand, `FOLDER/notes/NAME.md`, and put into the page; links in them lead from where the notes are.
 * @param mistakes what is wrong with them is added
 */
export async function readNotes(folder, name, registry, mistakes) {
  const place = `docs/${folder}/notes/${name}.md`;
  const file = new URL(`${folder}/notes/${name}.md`, docs);
  if (!existsSync(file)) {
    mistakes.push(`${place} is missing: say in a few sentences what ${name} is for, with an example`);
    return '';
  }
  const text = readFileSync(file, 'utf8').trim();
  const blocks = yamlBlocks(text);
  if (blocks.length === 0) mistakes.push(`${place} has no example: write one, in a block of yaml`);
  for (const [i, block] of blocks.entries()) {
    for (const problem of await checkExample(block, registry)) mistakes.push(`${place}: example ${i + 1}: ${problem}`);
  }
  return `${text.replaceAll('](../', '](')}\n`;
}

/** A registry that notices in which phases the filters it makes have something to do. */
export function watchedRegistry(registry) {
  const phases = new Map();
  const watched = (step) => {
    if (step?.kind !== 'filter') return step;
    const create = (config, env) => {
      const make = step.create(config, env);
      const filter = make();
      const known = phases.get(step.name) ?? new Set();
      phases.set(step.name, new Set([...known, ...PHASES.filter((phase) => typeof filter[phase] === 'function')]));
      return make;
    };
    return { ...step, create };
  };
  return {
    registry: { ...registry, stepNamed: (name) => watched(registry.stepNamed(name)) },
    phasesOf: (name) => PHASES.filter((phase) => phases.get(name)?.has(phase)).map((phase) => phase.toUpperCase()),
  };
}

const also = (aliases = []) =>
  aliases.length === 0 ? '' : `Also called ${aliases.map((alias) => `\`${alias}\``).join(', ')}.\n\n`;

const sentence = (summary) => (summary.endsWith('.') ? summary : `${summary}.`);

const whenOf = (phases) =>
  phases.length === 0 ? 'has no part in any phase by itself' : `works at ${phases.join(', ')}`;

export function stepPage(step, phases, notes) {
  const produces = (step.produces ?? []).map(
    ({ name, wireName }) => `\`${name}\` (\`${wireName}\` in \`filter_output\`)`,
  );
  const facts = [
    step.kind === 'filter' ? `Filter; ${whenOf(phases)}.` : 'Output: the last step of a chain.',
    ...(produces.length > 0 ? [`Produces the signal ${produces.join(', ')}.`] : []),
  ];
  return `# ${step.name}

${sentence(step.summary)}

${facts.join(' ')}

${also(step.aliases)}## Options

${optionsTable(step.config)}
${notes}
---
Options and facts are written by \`scripts/write-filter-docs.mjs\` from the program, the rest is [notes/${step.name}.md](notes/${step.name}.md).
All steps: [filters.md](../filters.md).
`;
}

/** One of several on a page. */
export function partSection({ name, aliases, summary, config, reads, perRcpt, consumes }, notes) {
  const facts = [
    ...(typeof reads === 'string' ? [`Decided at ${reads.toUpperCase()}.`] : []),
    ...(perRcpt === true ? ['Needs a policy with `mode: PER_RCPT`.'] : []),
    ...(Array.isArray(consumes)
      ? [`Needs the filter ${consumes.map((signal) => `\`${signal.name}\``).join(', ')} before it.`]
      : []),
  ];
  const about = facts.length === 0 ? '' : `${facts.join(' ')}\n\n`;
  return `## ${name}\n\n${sentence(summary)}\n\n${about}${also(aliases)}${optionsTable(config)}\n${notes}`;
}
