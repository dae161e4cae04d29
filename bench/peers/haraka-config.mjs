/** The folder of a Haraka that relays everything from this machine to the sink. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

const SIZE_MAX_BYTES = 128 * 1024 * 1024;

/** A plug-in: no DNS, and every domain is at the sink. */
const loopback = (sinkPort) => `'use strict';
const net = require('node:net');
const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  this.setNoDelay(true);
  return connect.apply(this, args);
};
exports.hook_lookup_rdns = (next) => next(OK, 'localhost');
exports.hook_get_mx = (next) => next(OK, { priority: 0, exchange: '127.0.0.1', port: ${sinkPort} });
`;

/** `packageDir` is where Haraka is installed: a file of settings replaces its own as a whole. */
export async function writeHarakaHome(home, { packageDir, port, sinkPort, isForwarding }) {
  const own = await readFile(path.join(packageDir, 'config/connection.ini'), 'utf8');
  const connection = own.replace(/^bytes *=.*$/m, `bytes=${SIZE_MAX_BYTES}`);
  for (const name of ['config', 'plugins', 'queue']) await mkdir(path.join(home, name), { recursive: true });
  const files = {
    'config/me': 'haraka.example\n',
    'config/smtp.ini': `listen=127.0.0.1:${port}\ninactivity_timeout=300\nnodes=0\n`,
    'config/log.ini': '[main]\nlevel=notice\ntimestamps=true\nformat=default\n',
    'config/relay.ini': '[relay]\nacl=true\nforce_routing=false\nall=false\ndest_domains=false\n',
    'config/relay_acl_allow': '127.0.0.1/32\n',
    'config/connection.ini': connection,
    'config/plugins': `loopback\nrelay\n${isForwarding ? 'queue/smtp_forward\n' : ''}`,
    'config/smtp_forward.ini': `[main]\nhost=127.0.0.1\nport=${sinkPort}\nenable_outbound=true\n`,
    'config/outbound.ini': 'enable_tls=false\nlocal_mx_ok=true\nconcurrency_max=100\n',
    'plugins/loopback.js': loopback(sinkPort),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(home, name), text);
}
