/** Connections of nodemailer to the sink, kept open, each with one message at a time. */
import SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';

const SIZE = 20;

export class SenderPool {
  #port;
  #free = [];
  #waiting = [];
  #count = 0;

  constructor(port) {
    this.#port = port;
  }

  /** Resolves when the sink has taken it. */
  async send({ from, to, content }) {
    const connection = await this.#connection();
    try {
      await new Promise((resolve, reject) => {
        connection.send({ from, to }, content, (error) => (error ? reject(error) : resolve()));
      });
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      this.#giveBack(connection);
    }
  }

  #connection() {
    const free = this.#free.pop();
    if (free !== undefined) return Promise.resolve(free);
    if (this.#count < SIZE) return this.#open();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  #giveBack(connection) {
    const isOfUse = !connection.destroyed;
    if (!isOfUse) this.#count -= 1;
    const next = this.#waiting.shift();
    if (next === undefined) {
      if (isOfUse) this.#free.push(connection);
    } else if (isOfUse) next.resolve(connection);
    else this.#open().then(next.resolve, next.reject);
  }

  #open() {
    this.#count += 1;
    const connection = new SMTPConnection({ host: '127.0.0.1', port: this.#port, ignoreTLS: true });
    return new Promise((resolve, reject) => {
      connection.once('error', (error) => {
        this.#count -= 1;
        reject(error);
      });
      connection.connect(() => {
        connection.removeAllListeners('error');
        connection.on('error', () => this.#lost(connection));
        connection.on('end', () => this.#lost(connection));
        resolve(connection);
      });
    });
  }

  #lost(connection) {
    const index = this.#free.indexOf(connection);
    if (index === -1) return;
    this.#free.splice(index, 1);
    this.#count -= 1;
  }
}
