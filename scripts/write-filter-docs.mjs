// Writes docs/filters.md from the schemas of the steps themselves; with --check only says whether it is up to date. Needs a build.
import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { registry } from '../dist/lib/chain/registry.js';
import { routingPolicies } from '../dist/lib/filters/routing/index.js';
import { matchers } from '../dist/lib/matchers/index.js';

const file = new URL('../docs/filters.md', import.meta.url);

/** A cell must stay a cell. */
const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');

function typeOf(property) {
  if (property.const !== undefined) return `\`${JSON.stringify(property.const)}\``;
  if (property.enum !== undefined) return property.enum.map((value) => `\`${value}\``).join(', ');
  const variants = (property.anyOf ?? property.oneOf)?.filter(({ type }) => type !== 'null');
  if (variants !== undefined) return [...new Set(variants.map(typeOf))].join(' or ');
  if (property.type === 'array')
    return property.items?.type === undefined ? 'list' : `list of ${typeOf(property.items)}`;
  if (property.type === undefined) return 'anything';
  const names = { object: 'mapping', integer: 'whole number' };
  const types = [property.type].flat().filter((type) => type !== 'null');
  return types.map((type) => names[type] ?? type).join(' or ');
}

function optionsTable(schema) {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  const options = Object.entries(json.properties ?? {});
  if (options.length === 0) return 'No options.\n';
  const rows = options.map(([name, property]) => {
    const isRequired = json.required?.includes(name) ? 'required' : '';
    const fallback = property.default === undefined ? isRequired : `\`${JSON.stringify(property.default)}\``;
    return `| \`${name}\` | ${cell(typeOf(property))} | ${cell(fallback)} | ${cell(property.description ?? '')} |`;
  });
  return ['| option | value | default | |', '|---|---|---|---|', ...rows, ''].join('\n');
}

function section({ name, aliases = [], summary, config }) {
  const also = aliases.length === 0 ? '' : `Also called ${aliases.map((alias) => `\`${alias}\``).join(', ')}.\n\n`;
  return `### ${name}\n\n${summary}\n\n${also}${optionsTable(config)}`;
}

const byName = (a, b) => (a.name < b.name ? -1 : 1);
const sections = (steps) => [...steps].sort(byName).map(section).join('\n');

const text = `# Filters, outputs, matchers

Written by \`scripts/write-filter-docs.mjs\` from the schemas the program checks a configuration with. A chain is a list of filters that ends
in one output:

\`\`\`yaml
endpoint:
- name: example
  chain:
  - filter: policy_action            # judge
    tag: authenticated
    match: {not: {matcher: smtp_auth}}
    action: REJECT
    message: 5.7.1 authentication required
  - filter: received_header          # rewrite
  - filter: router                   # route
    policy:
      name: dest_domain
      destination: {endpoint: gateway}
  - filter: dns_resolution           # observe
    suffix: ''
  - filter: rest_output              # output
\`\`\`

[config/local-test/router.yaml](../config/local-test/router.yaml) is a whole configuration with comments;
[config/README.md](../config/README.md) lists the keys outside chains.

## Filters

${sections(registry.steps.filter(({ kind }) => kind === 'filter'))}
## Outputs

${sections(registry.steps.filter(({ kind }) => kind === 'output'))}
## Routing policies

The \`policy\` of the filter \`router\` is one of these, with its options and the \`destination\` of the recipients it knows. A destination is
\`{endpoint: NAME of a rest_endpoint, host_list: [{host, port}], options: {…}}\`; left empty, it only says that the recipient exists.

${sections(routingPolicies)}
## Matchers

What \`match\` of a \`policy_action\` may ask: \`{matcher: NAME, …options}\`, and combinations of these with \`any\`, \`all\` and \`not\`.

${sections(matchers)}`;

if (!process.argv.includes('--check')) writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) {
  process.stderr.write('docs/filters.md is not what the schemas say: run `npm run docs`\n');
  process.exitCode = 1;
}
