/** The reference of a configuration file: a section for each mapping in it, with a table of its keys. */
import { inputSchema, mappingIn, rowsOf, table } from './schema-tables.mjs';

const INTRO = {
  'router.yaml': [
    'The configuration of `koukan router`, and the first file of `koukan serve`.',
    '[config/local-test/router.yaml](../../config/local-test/router.yaml) is a whole one with comments; what may stand in a chain is in',
    '[filters.md](../filters.md).',
  ],
  'gateway.yaml': [
    'The configuration of `koukan gateway`, and the second file of `koukan serve`.',
    '[config/local-test/gateway.yaml](../../config/local-test/gateway.yaml) is a whole one with comments.',
  ],
};

const RULES = `Times are in seconds, sizes in bytes. A key that is left out, or left empty, has its default. A file is relative to the configuration
file that names it; only the SQLite file of \`storage.url\` is relative to the current directory. Anchors, aliases and \`<<\` merges of YAML work.
Unknown keys are mistakes: \`koukan config check FILE\` names them all, with file, line and column.
`;

/** @param file `router.yaml` or `gateway.yaml`. */
export function configPage(file, schema) {
  const json = inputSchema(schema);
  const top = Object.entries(json.properties).filter(([, property]) => mappingIn(property) === undefined);
  const rest = Object.entries(json.properties).filter(([, property]) => mappingIn(property) !== undefined);
  const lone =
    top.length === 0
      ? []
      : [`## Other keys\n\n${table(rowsOf({ ...json, properties: Object.fromEntries(top) }), 'key')}`];
  return [
    `# ${file}\n`,
    'Written by `scripts/write-filter-docs.mjs` from the schema the program checks the file with.\n',
    `${INTRO[file].join('\n')}\n`,
    RULES,
    ...rest.map(([key, property]) => section(key, property, 2)),
    ...lone,
  ].join('\n');
}

/** Mappings inside it have sections of their own, one level below. */
function section(path, property, level) {
  const { mapping, step } = mappingIn(property);
  const here = `${path}${step}`;
  const below = [];
  const rows = rowsOf(mapping, '', (key) => {
    below.push(section(`${here}.${key}`, mapping.properties[key], Math.min(level + 1, 4)));
    return [];
  });
  const about = property.description === undefined ? '' : `${property.description}\n\n`;
  return [`${'#'.repeat(level)} ${here}\n\n${about}${table(rows, 'key')}`, ...below].join('\n');
}
