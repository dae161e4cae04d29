/** What the schemas of the program say of their keys, as rows of Markdown tables. */
import { z } from 'zod';

/** @returns the JSON schema of what one writes, with `form` and `fallback` where the schema says them. */
export function inputSchema(schema) {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
}

/** A key that may be empty is described by what else it may be. */
export function unwrapped(property) {
  const { anyOf, oneOf, ...outside } = property;
  const variants = (anyOf ?? oneOf)?.filter(({ type }) => type !== 'null');
  if (variants === undefined) return property;
  if (variants.length === 1) return { ...unwrapped(variants[0]), ...outside };
  return { ...outside, variants: variants.map(unwrapped) };
}

/** The mapping inside a key, and how its path goes on: `.key`, `[].key` for each of a list, `.NAME.key` for names of one's own. */
export function mappingIn(property) {
  const inner = unwrapped(property);
  if (inner.properties !== undefined) return { mapping: inner, step: '' };
  const item = inner.items && unwrapped(inner.items);
  if (item?.properties !== undefined) return { mapping: item, step: '[]' };
  const value = typeof inner.additionalProperties === 'object' ? unwrapped(inner.additionalProperties) : undefined;
  return value?.properties === undefined ? undefined : { mapping: value, step: '.NAME' };
}

const TYPES = { object: 'mapping', integer: 'whole number' };
const UNITS = { seconds: 'seconds', bytes: 'bytes' };

export function typeOf(property) {
  const inner = unwrapped(property);
  if (inner.form !== undefined) return UNITS[inner.form] ?? inner.form;
  if (inner.const !== undefined) return `\`${JSON.stringify(inner.const)}\``;
  if (inner.enum !== undefined) return inner.enum.map((value) => `\`${value}\``).join(', ');
  if (inner.variants !== undefined) return [...new Set(inner.variants.map(typeOf))].join(' or ');
  if (inner.prefixItems !== undefined) return `[${inner.prefixItems.map(typeOf).join(', ')}]`;
  if (inner.type === 'array') return inner.items === undefined ? 'list' : `list of ${plural(typeOf(inner.items))}`;
  const types = [inner.type ?? []].flat().filter((type) => type !== 'null');
  if (types.length === 0) return 'anything';
  return types.map((type) => TYPES[type] ?? type).join(' or ') + bounds(inner);
}

const plural = (type) => (/^(mapping|string|file|network|whole number)$/.test(type) ? `${type}s` : type);

/** Bounds that one might run into. */
function bounds({ type, minimum, maximum }) {
  const isSmall = type === 'integer' && minimum !== undefined && maximum !== undefined && maximum <= 65_535;
  return isSmall ? `, ${minimum} to ${maximum}` : '';
}

function fallbackOf(property, isRequired) {
  const { fallback = unwrapped(property).default } = unwrapped(property);
  if (fallback === undefined) return isRequired && mappingIn(property) === undefined ? 'required' : '';
  const isEmpty = typeof fallback === 'object' && fallback !== null && Object.keys(fallback).length === 0;
  return isEmpty ? '' : `\`${typeof fallback === 'string' && fallback !== '' ? fallback : JSON.stringify(fallback)}\``;
}

/** A cell must stay a cell. */
const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');

/** One row for each key of a mapping; where a key is a mapping itself, `inside` says what becomes of its keys. */
export function rowsOf(mapping, prefix = '', inside = () => []) {
  return Object.entries(mapping.properties ?? {}).flatMap(([key, property]) => {
    const name = `${prefix}${key}`;
    const found = mappingIn(property);
    const about = [typeOf(property), fallbackOf(property, mapping.required?.includes(key) ?? false)];
    const row = [`\`${name}\``, ...about, unwrapped(property).description ?? ''];
    return [`| ${row.map(cell).join(' | ')} |`, ...(found === undefined ? [] : inside(name, found))];
  });
}

export function table(rows, what = 'option') {
  return rows.length === 0
    ? 'No options.\n'
    : [`| ${what} | value | default | |`, '|---|---|---|---|', ...rows, ''].join('\n');
}

/** All options of a step in one table, those inside others with their path. */
export function optionsTable(schema) {
  const rows = (mapping, prefix) =>
    rowsOf(mapping, prefix, (name, { mapping: inner, step }) => rows(inner, `${name}${step}.`));
  return table(rows(inputSchema(schema), ''));
}
