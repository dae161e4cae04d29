/** The manifests for Kubernetes: what they refer to exists, what they promise each other agrees, and the configuration in them starts. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { hashSecret } from '../../src/lib/auth/secrets.ts';
import { checkConfigs } from '../../src/lib/chain/check-config.ts';
import { builtInSteps } from '../../src/lib/chain/registry.ts';
import { dkimKeygen } from '../../src/lib/tools/dkim/keygen.ts';
import { commandProblems } from '../helpers/koukan-commands.ts';
import { startRestServer } from '../http/rest-server.ts';

const root = path.resolve(import.meta.dirname, '../..');
const folder = path.join(root, 'examples/kubernetes');
const readText = (name: string): string => readFileSync(path.join(folder, name), 'utf8');

type Labels = Readonly<Record<string, string>>;

interface Port {
  readonly name: string;
  readonly port: number;
  readonly targetPort: string;
  readonly containerPort: number;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string; readonly scheme: string };
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly ports?: readonly Port[];
  readonly env?: readonly { readonly valueFrom?: { readonly secretKeyRef?: { name: string; key: string } } }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly [string, string] } } };
  readonly securityContext: unknown;
  readonly resources: { readonly limits: { readonly memory?: string } };
}

interface SecretSource {
  readonly secret: { readonly name: string; readonly items?: readonly { key: string; path: string }[] };
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly projected?: { readonly sources: readonly SecretSource[] };
  }[];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data: Readonly<Record<string, string>>;
  readonly stringData: Readonly<Record<string, string>>;
  readonly spec: {
    readonly serviceName?: string;
    readonly clusterIP?: string;
    readonly selector: Labels & { readonly matchLabels: Labels };
    readonly podSelector: { readonly matchLabels: Labels };
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
    readonly ports: readonly Port[];
    readonly dnsNames: readonly string[];
    readonly ingress: readonly { readonly ports: readonly { readonly port: string }[] }[];
  };
}

const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const all = files
  .filter((name) => name !== 'kustomization.yaml')
  .flatMap((name) => parseAllDocuments(readText(name)).map((document) => document.toJS() as Manifest));
const ofKind = (...kinds: readonly string[]): Manifest[] => all.filter(({ kind }) => kinds.includes(kind));
const named = (kind: string, name: string): Manifest => {
  const found = ofKind(kind).find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
};

const workloads = ofKind('StatefulSet', 'Job');
const sets = ofKind('StatefulSet');
const podOf = (workload: Manifest): PodSpec => workload.spec.template.spec;
const containersOf = (workload: Manifest): Container[] => [
  ...(podOf(workload).initContainers ?? []),
  ...podOf(workload).containers,
];
const portsOf = (workload: Manifest): Port[] => podOf(workload).containers.flatMap(({ ports }) => ports ?? []);
const isSelected = (labels: Labels, workload: Manifest): boolean =>
  Object.entries(labels).every(([name, value]) => workload.spec.template.metadata.labels[name] === value);
const byName = (workload: Manifest): [string, Manifest] => [workload.metadata.name, workload];

/** The files below /etc/koukan in a pod, from the secrets that are put there. */
function keyFiles(workload: Manifest): string[] {
  const sources = (podOf(workload).volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
  return sources.flatMap(
    ({ secret }) => secret.items?.map((item) => item.path) ?? Object.keys(named('Secret', secret.name).stringData),
  );
}

it('are all in kustomization.yaml, but the secrets and what needs cert-manager', () => {
  const { resources, images } = parse(readText('kustomization.yaml')) as {
    resources: string[];
    images: { name: string }[];
  };
  const apart = ['kustomization.yaml', 'secrets.yaml', 'certificates.yaml'];
  expect(resources.toSorted()).toEqual(files.filter((name) => !apart.includes(name)).toSorted());
  const used = new Set(workloads.flatMap(containersOf).map(({ image }) => image));
  expect([...used]).toEqual(images.map(({ name }) => name));
});

it('are in one namespace', () => {
  const [
    {
      metadata: { name },
    } = named('Namespace', 'koukan'),
  ] = ofKind('Namespace');
  const elsewhere = all.filter(({ kind, metadata }) => kind !== 'Namespace' && metadata.namespace !== name);
  expect(elsewhere).toEqual([]);
});

describe.each(workloads.map(byName))('%s', (_, workload) => {
  it('mounts volumes that it has, from what there is', () => {
    const volumes = podOf(workload).volumes ?? [];
    const mounted = containersOf(workload).flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name));
    expect([...new Set(mounted)].toSorted()).toEqual(volumes.map(({ name }) => name).toSorted());
    for (const { configMap } of volumes) if (configMap !== undefined) named('ConfigMap', configMap.name);
    for (const { secret } of volumes.flatMap(({ projected }) => projected?.sources ?? [])) {
      const keys = Object.keys(named('Secret', secret.name).stringData);
      expect(keys).toEqual(expect.arrayContaining((secret.items ?? []).map(({ key }) => key)));
    }
  });

  it('takes its environment from secrets that there are', () => {
    for (const { valueFrom } of containersOf(workload).flatMap(({ env = [] }) => env)) {
      const ref = valueFrom?.secretKeyRef;
      if (ref !== undefined) expect(named('Secret', ref.name).stringData).toHaveProperty(ref.key);
    }
  });

  it('runs commands that there are, with flags that there are', () => {
    for (const { args } of podOf(workload).containers) expect(commandProblems(args ?? [])).toEqual([]);
  });

  it('is confined, and bounded in memory', () => {
    for (const { securityContext, resources } of containersOf(workload)) {
      expect(securityContext).toMatchObject({ readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
      expect(resources.limits.memory).toMatch(/^\d+[MG]i$/);
    }
  });
});

describe.each(sets.map(byName))('%s', (_, set) => {
  const container = podOf(set).containers[0] as Container;

  it('has a headless service of its own', () => {
    const service = named('Service', set.spec.serviceName ?? '');
    expect(service.spec.clusterIP).toBe('None');
    expect(isSelected(service.spec.selector, set)).toBe(true);
  });

  it('has a disruption budget and a network policy', () => {
    const selectors = [
      named('PodDisruptionBudget', set.metadata.name).spec.selector.matchLabels,
      named('NetworkPolicy', set.metadata.name).spec.podSelector.matchLabels,
    ];
    for (const labels of selectors) expect(sets.filter((each) => isSelected(labels, each))).toEqual([set]);
    const open = named('NetworkPolicy', set.metadata.name).spec.ingress.flatMap(({ ports }) => ports);
    const names = portsOf(set).map(({ name }) => name);
    expect(open.map(({ port }) => port).toSorted()).toEqual(names.toSorted());
  });

  it('is given time to stop', () => {
    const flag = container.args?.find((word) => word.startsWith('--stop-timeout='));
    const pause = Number(container.lifecycle?.preStop.exec.command[1]);
    const stop = Number(flag?.split('=')[1]);
    expect(podOf(set).terminationGracePeriodSeconds).toBeGreaterThanOrEqual(stop + pause + 10);
  });

  it('is asked for its health where the server answers', async () => {
    const { url } = await startRestServer();
    for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
      const { path: asked, port, scheme } = probe?.httpGet ?? { path: '', port: '', scheme: '' };
      expect([port, scheme]).toEqual(['rest', 'HTTPS']);
      expect(asked).toMatch(/^\/(livez|readyz)$/);
      expect((await fetch(`${url}${asked}`)).status).toBe(200);
    }
  });
});

it.each(ofKind('Service').map(byName))('the service %s leads to ports of pods', (_, { spec }) => {
  const pods = sets.filter((set) => isSelected(spec.selector, set));
  expect(pods).toHaveLength(1);
  const names = pods.flatMap(portsOf).map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(spec.ports.map(({ targetPort }) => targetPort)));
});

describe('the configuration in the pods', () => {
  let at: string;
  const rendered = (name: string): string => path.join(at, name);
  const portsIn = (text: string): number[] =>
    [...text.matchAll(/addr: \[[^,]+, (\d+)\]/g)].map(([, port]) => Number(port));

  /** Runs the init container as a pod would, with folders of its own. */
  async function render(set: Manifest): Promise<void> {
    const [init] = podOf(set).initContainers ?? [];
    const map = podOf(set).volumes?.find(({ configMap }) => configMap !== undefined)?.configMap?.name ?? '';
    for (const [name, text] of Object.entries(named('ConfigMap', map).data))
      await writeFile(rendered(`templates/${name}`), text);
    const [shell = '', ...words] = init?.command ?? [];
    const moved = words.map((word) =>
      word.replaceAll('/templates/', `${at}/templates/`).replaceAll('/run/koukan/', `${at}/`),
    );
    execFileSync(shell, moved, { env: { ...process.env, POD_NAME: `${set.metadata.name}-0` } });
  }

  async function writeKeys(): Promise<void> {
    await mkdir(rendered('etc/smtp'), { recursive: true });
    const tls = path.join(root, 'test/fixtures/mutual-tls');
    for (const name of ['tls', 'smtp/tls']) {
      await copyFile(path.join(tls, 'server.crt'), rendered(`etc/${name}.crt`));
      await copyFile(path.join(tls, 'server.key'), rendered(`etc/${name}.key`));
    }
    await copyFile(path.join(tls, 'authority.crt'), rendered('etc/ca.crt'));
    const key = { domain: 'example.com', selector: 's2026', type: 'ed25519', bits: 2048, force: false } as const;
    await dkimKeygen({ ...key, out: rendered('etc/s2026.pem') });
    const grant = (of: string): object => ({ hash: hashSecret(of), trusted: true });
    const shop = { hash: hashSecret('shop'), senders: ['shop'] };
    await writeFile(rendered('etc/tokens.json'), JSON.stringify({ gateway: grant('gateway'), shop }));
    await writeFile(rendered('etc/gateway-tokens.json'), JSON.stringify({ router: grant('router') }));
    await writeFile(rendered('etc/users.json'), JSON.stringify({ ann: hashSecret('secret') }));
    for (const name of ['router', 'gateway']) await writeFile(rendered(`etc/${name}.token`), 'token\n');
  }

  beforeAll(async () => {
    at = await mkdtemp(path.join(tmpdir(), 'koukan-kubernetes-'));
    await mkdir(rendered('templates'));
    await writeKeys();
    for (const set of sets) {
      await render(set);
      const name = podOf(set).containers[0]?.name ?? '';
      const text = readFileSync(rendered(`${name}.yaml`), 'utf8');
      await writeFile(rendered(`${name}.yaml`), text.replaceAll('/etc/koukan/', `${at}/etc/`));
    }
  });
  afterAll(() => rm(at, { recursive: true }));

  it('has no mistake, alone or together, and nothing to warn of', async () => {
    const reports = await checkConfigs([rendered('router.yaml'), rendered('gateway.yaml')], builtInSteps);
    expect(reports.map(({ kind }) => kind)).toEqual(['router', 'gateway']);
    expect(reports.flatMap(({ mistakes, warnings }) => [...mistakes, ...warnings])).toEqual([]);
  });

  it.each(sets.map(byName))(
    'of %s names files that its secrets bring, and listens where the pod has ports',
    (_, set) => {
      const text = Object.values(named('ConfigMap', set.metadata.name).data)[0] ?? '';
      const wanted = [...text.matchAll(/\/etc\/koukan\/([\w./-]+)/g)].map(([, name]) => name);
      expect(keyFiles(set)).toEqual(expect.arrayContaining(wanted));
      expect(portsIn(text).toSorted()).toEqual(
        portsOf(set)
          .map(({ containerPort }) => containerPort)
          .toSorted(),
      );
    },
  );

  it('names hosts that are services, at their ports, with a certificate for each', () => {
    const [certificate] = ofKind('Certificate').filter(({ metadata }) => metadata.name === 'koukan-tls');
    const texts = ofKind('ConfigMap').flatMap(({ data }) => Object.values(data));
    const urls = texts.flatMap((text) =>
      [...text.matchAll(/https:\/\/[^\s/]+/g)].map(([url]) => new URL(url.replace('@POD@', 'pod'))),
    );
    expect(urls.length).toBeGreaterThan(5);
    for (const { hostname, port } of urls) {
      const [service = '', namespace] = hostname.replace(/^pod\./, '').split('.');
      expect(namespace).toBe('koukan');
      expect(named('Service', service).spec.ports.map((each) => String(each.port))).toContain(port);
      expect(certificate?.spec.dnsNames).toContain(hostname.replace(/^pod\./, '*.'));
    }
  });
});

describe('the image', () => {
  const copied = [
    ...(
      readText('Dockerfile')
        .split(/^FROM /m)
        .at(-1) ?? ''
    ).matchAll(/^COPY (?:--from=\w+ )?(\S+) \S+$/gm),
  ].map(([, name]) => name?.replace('/koukan/', '') ?? '');

  it('is made of files that there are', () => {
    const sources = [...readText('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
      ([, names]) => names?.split(' ') ?? [],
    );
    expect(sources.filter((name) => !existsSync(path.join(root, name)))).toEqual([]);
  });

  it('has all that the program needs', async () => {
    const image = await mkdtemp(path.join(tmpdir(), 'koukan-image-'));
    try {
      for (const name of copied) await symlink(path.join(root, name), path.join(image, name));
      const check = ['bin/koukan.js', 'config', 'check', path.join(root, 'config/local-test/router.yaml')];
      const said = execFileSync(process.execPath, ['--preserve-symlinks', '--preserve-symlinks-main', ...check], {
        cwd: image,
        encoding: 'utf8',
      });
      expect(said).toContain('ok (router)');
    } finally {
      await rm(image, { recursive: true });
    }
  });
});
