/** Not a relay: how many DKIM-sized signatures (RSA, 2048 bits) one core makes, which bounds every relay that signs each message. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const openssl = {
  names: ['openssl'],
  async find() {
    try {
      return { isThere: true, version: (await run('openssl', ['version'])).stdout.trim() };
    } catch {
      return { isThere: false, why: 'not found' };
    }
  },
  /** It takes no mail: `measure` stands for a run. */
  start: () => Promise.resolve({ measure: signaturesPerSecond }),
};

async function signaturesPerSecond({ seconds }) {
  const { stdout } = await run('openssl', ['speed', '-seconds', String(Math.max(1, Math.round(seconds))), 'rsa2048']);
  // The last line: "rsa 2048 bits 0.000243s 0.000016s 4115.4 62537.8", times and rates of signing and verifying.
  const [, rate] = /^rsa +2048 bits +\S+ +\S+ +([\d.]+)/m.exec(stdout) ?? [];
  if (rate === undefined) throw new Error(`openssl speed said nothing of rsa 2048:\n${stdout}`);
  return { accepted_per_s: Number(rate), delivered_per_s: Number(rate), cpu_us_per_message: 1e6 / Number(rate) };
}
