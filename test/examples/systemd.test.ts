/** The unit files for systemd: the commands in them exist, their times agree, and a service has no more power than it needs. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/lib/core/errors.ts';
import { commandProblems } from '../helpers/koukan-commands.ts';

const folder = path.resolve(import.meta.dirname, '../../examples/systemd');
const units = readdirSync(folder).filter((name) => name.endsWith('.service'));

/** Every value of each key, whatever its section. */
function keysOf(name: string): ReadonlyMap<string, readonly string[]> {
  const keys = new Map<string, string[]>();
  for (const line of readFileSync(path.join(folder, name), 'utf8').split('\n')) {
    if (line === '' || /^[#[]/.test(line)) continue;
    const [key = '', ...value] = line.split('=');
    keys.set(key, [...(keys.get(key) ?? []), value.join('=')]);
  }
  return keys;
}

it('are there for one process and for two', () => {
  expect(units.toSorted()).toEqual(['koukan-gateway.service', 'koukan-router.service', 'koukan-serve.service']);
});

describe.each(units)('%s', (name) => {
  const keys = keysOf(name);
  const one = (key: string): string => {
    const values = keys.get(key) ?? [];
    expect(values, key).toHaveLength(1);
    return values[0] ?? '';
  };
  const words = (key: string): string[] => one(key).split(' ');
  const command = name.replace(/^koukan-(\w+)\.service$/, '$1');

  it('starts its command, with flags and arguments that there are', () => {
    const [program, ...rest] = words('ExecStart');
    expect(program).toBe('/usr/local/bin/koukan');
    expect(rest[0]).toBe(command);
    expect(commandProblems(rest)).toEqual([]);
    const files = { router: ['router'], gateway: ['gateway'], serve: ['router', 'gateway'] }[command] ?? [];
    expect(rest.filter((word) => word.endsWith('.yaml'))).toEqual(files.map((file) => `/etc/koukan/${file}.yaml`));
  });

  it('is given ten seconds more than its time to stop', () => {
    const flag = words('ExecStart').find((word) => word.startsWith('--stop-timeout='));
    expect(Number(one('TimeoutStopSec'))).toBe(Number(flag?.split('=')[1]) + 10);
    expect(one('KillSignal')).toBe('SIGTERM');
  });

  it('is started again unless its configuration is wrong', () => {
    expect(one('Restart')).toBe('on-failure');
    // A router whose database is away ends, and must not be given up.
    expect(Number(one('StartLimitIntervalSec'))).toBe(0);
    expect(one('RestartPreventExitStatus')).toBe(`${exitCodes.noInput} ${exitCodes.config}`);
  });

  it('may bind low ports if it speaks SMTP, write its database if it has one, and nothing else', () => {
    const capabilities = command === 'router' ? '' : 'CAP_NET_BIND_SERVICE';
    expect(one('CapabilityBoundingSet')).toBe(capabilities);
    expect(keys.get('AmbientCapabilities')).toEqual(capabilities === '' ? undefined : [capabilities]);
    expect(keys.get('StateDirectory')).toEqual(command === 'gateway' ? undefined : ['koukan']);
    expect(keys.get('ReadWritePaths')).toBeUndefined();
    expect(one('ProtectSystem')).toBe('strict');
    for (const key of ['NoNewPrivileges', 'ProtectHome', 'PrivateTmp', 'PrivateDevices', 'RestrictNamespaces']) {
      expect(one(key)).toBe('yes');
    }
    expect(one('User')).toBe('koukan');
    // It would forbid the engine to compile.
    expect(keys.has('MemoryDenyWriteExecute')).toBe(false);
  });
});
