/** What is profiled: those cases of the table in which different things cost. */
import { cases } from '../cases.mjs';

const NAMES = [
  'relay-4k',
  'relay-64k',
  'relay-1m',
  'relay-1-session',
  'relay-reconnect',
  'relay-split',
  'stored-4k',
  'stored-64k',
  'stored-1m',
  'rest-4k',
  'sign-4k',
];

export const profileCases = NAMES.map((name) => cases.find((each) => each.name === name));

/** The processes of a shape, in the order in which they are started. */
export const processesOf = ({ name, shape }) => (shape === 'serve' ? [name] : [`${name} router`, `${name} gateway`]);
