/** What a sink says on one connection: collects replies, so that all that is answered at once is one write, and plays its script. */
import type { Socket } from 'node:net';
import { type Response, responseLines } from '../../core/response.ts';
import type { SinkAnswer, SinkScript, SinkStage } from './script.ts';

export class SinkVoice {
  readonly #script: SinkScript;
  readonly #onHang: () => void;
  #socket: Socket;
  #out = '';
  #isSilent = false;

  constructor(socket: Socket, script: SinkScript, onHang: () => void) {
    this.#socket = socket;
    this.#script = script;
    this.#onHang = onHang;
  }

  /** Goes on over another socket (TLS). */
  moveTo(socket: Socket): void {
    this.flush();
    this.#socket = socket;
  }

  /** Gives the script's answer, or the usual one; says whether it was a positive reply. */
  answer(stage: SinkStage, address: string, usual: Response): boolean {
    if (this.#isSilent) return false;
    const answer: SinkAnswer = this.#script(stage, address) ?? usual;
    if (answer === 'drop') {
      this.flush();
      this.#isSilent = true;
      this.#socket.destroy();
      return false;
    }
    if (answer === 'hang') {
      this.flush();
      this.#isSilent = true;
      this.#onHang();
      return false;
    }
    this.say(answer);
    // RFC 5321 §3.8: 421 announces the end of the connection.
    if (answer.code === 421) this.end();
    return answer.code < 400;
  }

  say(response: Response): void {
    if (this.#isSilent) return;
    const lines = responseLines(response);
    lines.forEach((line, i) => {
      this.#out += `${response.code}${i < lines.length - 1 ? '-' : ' '}${line}\r\n`;
    });
  }

  /** The last word. */
  end(): void {
    this.flush();
    this.#isSilent = true;
    this.#socket.end();
  }

  flush(): void {
    if (this.#out === '' || this.#socket.destroyed) return;
    this.#socket.write(this.#out);
    this.#out = '';
  }
}
