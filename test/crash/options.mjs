/** The command line of the crash test: what is asked for, as one or more runs, or what is wrong with it. */
import { oneOf, readFlags, UsageError, whole } from '../../bench/command-line.mjs';

const text = { type: 'string' };
const OPTIONS = {
  kills: { ...text, default: '30' },
  seed: { ...text, default: '1' },
  clients: { ...text, default: '8' },
  engine: text,
  shape: text,
  policy: { ...text, default: 'retry' },
  between: { ...text, default: '30' },
  gc: text,
  routers: text,
  gateways: text,
  postgres: text,
  help: { type: 'boolean', default: false, short: 'h' },
};

const ENGINES = ['sqlite', 'postgres'];
const SHAPES = ['serve', 'split'];
const POLICIES = ['retry', 'hold', 'ask'];
const PROGRAMS_MAX = 16;
/** On PostgreSQL, in shape `split`. */
const ROUTERS = 2;
const GATEWAYS = 2;

/** `{ help, runs }`: the options of each `Cluster`, one for each engine and shape. Throws a `UsageError`. */
export function readOptions(args) {
  const values = readFlags(args, OPTIONS);
  const routers = whole(values, 'routers', 1, PROGRAMS_MAX);
  const gateways = whole(values, 'gateways', 1, PROGRAMS_MAX);
  const gcSeconds = whole(values, 'gc', 1, 86_400);
  const { postgres } = values;
  const shared = {
    policy: oneOf(values, 'policy', POLICIES),
    seed: whole(values, 'seed', 0, 2 ** 32 - 1),
    kills: whole(values, 'kills', 0, 100_000),
    clients: whole(values, 'clients', 1, 1000),
    between: whole(values, 'between', 1, 1_000_000),
    gateways: gateways ?? GATEWAYS,
    ...(gcSeconds !== undefined && { gcSeconds }),
    ...(postgres !== undefined && { postgres }),
  };
  const engines = chosen(
    values,
    'engine',
    ENGINES,
    routers !== undefined || postgres !== undefined ? 'postgres' : 'both',
  );
  const shapes = chosen(values, 'shape', SHAPES, routers !== undefined || gateways !== undefined ? 'split' : 'both');
  mustMakeSense({ engines, shapes, routers, gateways, postgres });
  const runs = engines.flatMap((engine) => {
    return shapes.map((shape) => ({ ...shared, engine, shape, routers: routersOf(engine, shape, routers) }));
  });
  return { help: values.help, runs };
}

function chosen(values, name, all, unlessGiven) {
  const word = oneOf({ [name]: unlessGiven, ...given(values, name) }, name, [...all, 'both']);
  return word === 'both' ? all : [word];
}

const given = (values, name) => (values[name] === undefined ? {} : { [name]: values[name] });

const routersOf = (engine, shape, routers) => routers ?? (engine === 'postgres' && shape === 'split' ? ROUTERS : 1);

function mustMakeSense({ engines, shapes, routers, gateways, postgres }) {
  if (routers > 1 && engines.includes('sqlite')) {
    throw new UsageError(
      `--routers ${routers}: several routers share a PostgreSQL, an SQLite file has one; leave --engine out`,
    );
  }
  const count = routers !== undefined && routers > 1 ? `--routers ${routers}` : gateways && `--gateways ${gateways}`;
  if (count && shapes.includes('serve')) {
    throw new UsageError(`${count}: with --shape serve router and gateway are one process; leave --shape out`);
  }
  if (postgres === undefined) return;
  if (!/^postgres(ql)?:\/\/./.test(postgres)) {
    throw new UsageError(`--postgres must be like postgresql://user:password@host:5432/name, not ${postgres}`);
  }
  if (!engines.includes('postgres')) throw new UsageError('--postgres is not for --engine sqlite');
  // What a run has left behind would be found, and counted, by the next one.
  if (shapes.length > 1)
    throw new UsageError('--postgres is an empty database for one run: say --shape serve or split');
}

/** How a run is asked for again. */
export function commandOf({ engine, shape, kills, seed, ...others }) {
  const { policy, clients, between, gateways, gcSeconds, routers, postgres } = others;
  const seldom = { policy, clients, between, gateways, gc: gcSeconds, routers, postgres };
  const usual = { policy: 'retry', clients: 8, between: 30, gateways: GATEWAYS, routers: routersOf(engine, shape) };
  const more = Object.entries(seldom).filter(([name, value]) => value !== usual[name]);
  const all = Object.entries({ engine, shape, kills, seed, ...Object.fromEntries(more) });
  return `npm run crash -- ${all.map(([name, value]) => `--${name} ${value}`).join(' ')}`;
}
