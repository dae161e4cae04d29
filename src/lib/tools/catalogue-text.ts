/** The catalogue of filters as text for people. */
import type { CatalogueEntry, EntryKind } from './catalogue.ts';

const HEADINGS: Readonly<Record<EntryKind, string>> = {
  filter: 'Filters',
  output: 'Outputs (the last step of a chain)',
  'routing policy': "Routing policies (`policy` of the filter 'router')",
  matcher: "Matchers (`match` of the filter 'policy_action')",
};

/** One line for each entry, under the heading of its kind. */
export function listText(entries: readonly CatalogueEntry[]): string {
  const width = Math.max(0, ...entries.map(({ name }) => name.length));
  const line = ({ name, summary, plugin }: CatalogueEntry): string =>
    `  ${name.padEnd(width)}  ${summary}${plugin === undefined ? '' : ` [plugin ${plugin}]`}`;
  return Object.entries(HEADINGS)
    .map(([kind, heading]) => ({ heading, lines: entries.filter((each) => each.kind === kind).map(line) }))
    .filter(({ lines }) => lines.length > 0)
    .map(({ heading, lines }) => [heading, ...lines].join('\n'))
    .join('\n\n');
}

/** Everything about each entry. */
export function detailText(entries: readonly CatalogueEntry[]): string {
  return entries.map(entryText).join('\n\n');
}

function entryText({ kind, name, aliases, summary, plugin, options }: CatalogueEntry): string {
  const from = plugin === undefined ? '' : ` of the plugin ${plugin}`;
  const also = aliases.length === 0 ? [] : [`Also called ${aliases.join(', ')}.`];
  const lines = options.flatMap(({ name: option, type, isRequired, default: fallback, description }) => {
    const rest = isRequired ? ', required' : fallback === undefined ? '' : `, default ${fallback}`;
    return [`  ${option}: ${type}${rest}`, ...(description === undefined ? [] : [`      ${description}`])];
  });
  const heading = `${kind} ${name}${from}`;
  return [heading, summary, ...also, '', ...(lines.length === 0 ? ['  No options.'] : lines)].join('\n');
}
