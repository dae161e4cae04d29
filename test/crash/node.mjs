/** A program that is killed and started again, under another name each time, so that the far end can tell whose copy it has. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { end, koukan } from './ground.mjs';

/** The exit code of a router that cannot reach its database at start. */
const UNAVAILABLE = 69;

export class Node {
  kind;
  name;
  ports;
  lives = 0;
  life = '';
  isAway = false;
  #folder;
  #files;
  #child;
  #onEarlyEnd;

  /** `files(life)` answers the configuration files it is started with, by name; `onEarlyEnd` hears that it could not start. */
  constructor({ kind, name, folder, ports, files, onEarlyEnd }) {
    this.kind = kind;
    this.name = name;
    this.ports = ports;
    this.#folder = folder;
    this.#files = files;
    this.#onEarlyEnd = onEarlyEnd;
  }

  async start() {
    this.lives += 1;
    this.life = `${this.name}-${this.lives}.example`;
    const files = Object.entries(this.#files(this.life));
    for (const [file, yaml] of files) await writeFile(path.join(this.#folder, file), yaml);
    const child = koukan(this.#folder, this.kind, ...files.map(([file]) => file));
    this.#child = child;
    this.isAway = false;
    child.once('exit', (code, signal) => {
      if (child !== this.#child || signal !== null) return;
      if (code === UNAVAILABLE) this.#onEarlyEnd(this);
      else process.stderr.write(`${this.life} ended by itself: ${code}\n`);
    });
  }

  async kill() {
    this.isAway = true;
    await end(this.#child, 'SIGKILL');
  }

  signal(name) {
    this.#child.kill(name);
  }
}
