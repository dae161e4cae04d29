/** The programs of a run, as configured: `serve`, or routers and gateways, each kind behind one address. */
import { Balancer } from './balancer.mjs';
import { gatewayYaml, routerYaml } from './configurations.mjs';
import { freePort } from './ground.mjs';
import { Node } from './node.mjs';

/** Answers nodes that are not started yet, and the balancers in front of them. `shared` goes into every configuration. */
export async function programs({ shape, routers, gateways }, { shared, ...watch }) {
  const isServe = shape === 'serve';
  const here = await portsOf(isServe ? 1 : routers);
  const there = isServe ? [] : await portsOf(gateways);
  const ins = here.map(({ rest }) => rest);
  const outs = (isServe ? here : there).map(({ out }) => out);
  // In one process router and gateway reach each other by a call, which they know by the address.
  const balancers = isServe ? [] : [new Balancer(ins), new Balancer(outs)];
  const [service = ins[0], out = outs[0]] = await Promise.all(balancers.map((each) => each.listen()));
  const router = (own, life) => routerYaml({ ...shared, ...own, service, out }, life);
  const gateway = (own, life) => gatewayYaml({ ...own, port: own.out, service }, life);
  const node = (kind, i, ports, files) => new Node({ ...watch, kind, name: `${kind}${i}`, ports, files });
  const nodes = [
    ...here.map((own, i) =>
      node(isServe ? 'serve' : 'router', i, own, (life) => ({
        [`router${i}.yaml`]: router(own, life),
        ...(isServe && { [`gateway${i}.yaml`]: gateway(own, life) }),
      })),
    ),
    ...there.map((own, i) => node('gateway', i, own, (life) => ({ [`gateway${i}.yaml`]: gateway(own, life) }))),
  ];
  return { nodes, balancers };
}

async function portsOf(count) {
  const all = [];
  for (let i = 0; i < count; i += 1) {
    all.push({ rest: await freePort(), out: await freePort(), smtp: await freePort(), cut: await freePort() });
  }
  return all;
}
