/** A small parser of the Prometheus text format, strict about what a collector is strict about. */

export interface MetricFamily {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (Na[Nn]|[+-]Inf|[-+0-9.eE]+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/y;

/** Throws for a line that is none, a sample before its TYPE, and a sample that comes twice. */
export function parseMetrics(text: string): ReadonlyMap<string, MetricFamily> {
  const families = new Map<string, { type: string; help: string; samples: MetricSample[] }>();
  const seen = new Set<string>();
  let current: { type: string; help: string; samples: MetricSample[] } | undefined;
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (comment !== null) {
      const [, kind, name = '', rest = ''] = comment;
      current = families.get(name) ?? { type: 'untyped', help: '', samples: [] };
      families.set(name, current);
      if (kind === 'HELP') current.help = rest;
      else current.type = rest;
      continue;
    }
    const sample = SAMPLE.exec(line);
    if (sample === null || current === undefined) throw new Error(`not a sample: ${line}`);
    const [, name = '', labels = '', value] = sample;
    if (seen.has(`${name}{${labels}}`)) throw new Error(`comes twice: ${line}`);
    seen.add(`${name}{${labels}}`);
    current.samples.push({ name, labels: parseLabels(labels), value: Number(value?.replace('Inf', 'Infinity')) });
  }
  return families;
}

function parseLabels(text: string): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const match = LABEL.exec(text);
    if (match === null) throw new Error(`not labels: ${text}`);
    labels[match[1] as string] = match[2] as string;
  }
  return labels;
}

/** The sum of the samples that have these labels; `undefined` when there is none. */
export function metricValue(
  families: ReadonlyMap<string, MetricFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const found = [...families.values()]
    .flatMap(({ samples }) => samples)
    .filter((sample) => sample.name === name && Object.entries(labels).every(([k, v]) => sample.labels[k] === v));
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}
