/**
 * A far end that is hard on whoever sends to it: reads in fits and starts, says no in the middle of a message, hangs up there, or says no the first
 * time. What it does is in the recipient's local part: `early-…`, `cut-…`, `later-…`; anything else is taken. It keeps all that it was sent.
 */

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';

/** What came behind one DATA, as it came: with its dots. */
export interface Transcript {
  readonly rcpts: readonly string[];
  readonly raw: Buffer;
  /** Up to the final dot. */
  readonly isWhole: boolean;
}

export interface CapriciousSink {
  readonly port: number;
  readonly transcripts: readonly Transcript[];
  /** Resolves when there are whole messages for all of them. */
  received(rcpts: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

const END = Buffer.from('\r\n.\r\n');
/** So much of a message it takes before it does what the recipient asks for. */
const BEFORE_TROUBLE_BYTES = 20_000;

export async function capriciousSink(): Promise<CapriciousSink> {
  const transcripts: Transcript[] = [];
  const seen = new Set<string>();
  const whole = new Set<string>();
  let wake = (): void => undefined;
  const note = (transcript: Transcript): void => {
    transcripts.push(transcript);
    if (transcript.isWhole) for (const rcpt of transcript.rcpts) whole.add(rcpt);
    wake();
  };
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    serve(socket, seen, note);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    transcripts,
    async received(rcpts) {
      while (!rcpts.every((rcpt) => whole.has(rcpt))) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function serve(socket: Socket, seen: Set<string>, note: (transcript: Transcript) => void): void {
  let held = Buffer.alloc(0);
  let rcpts: string[] = [];
  let isData = false;
  let reads = 0;
  socket.write('220 sink\r\n');
  const command = (line: string): void => {
    const rcpt = /^RCPT TO:<([^>]*)>/i.exec(line)?.[1];
    if (rcpt !== undefined) rcpts.push(rcpt);
    if (/^EHLO/i.test(line)) socket.write('250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n');
    else if (/^DATA/i.test(line)) {
      isData = true;
      socket.write('354 go on\r\n');
    } else socket.write('250 ok\r\n');
  };
  const end = (raw: Buffer, isWhole: boolean, answer: string): void => {
    note({ rcpts, raw, isWhole });
    isData = false;
    rcpts = [];
    socket.write(answer);
  };
  /** Says whether there may be more to look at. */
  const content = (): boolean => {
    const [kind] = (rcpts[0] ?? '').split('-');
    if (kind === 'cut' && held.length > BEFORE_TROUBLE_BYTES && !seen.has(rcpts[0] as string)) {
      seen.add(rcpts[0] as string);
      note({ rcpts, raw: held, isWhole: false });
      socket.destroy();
      return false;
    }
    if (kind === 'early' && held.length > BEFORE_TROUBLE_BYTES) {
      end(held, false, '552 5.3.4 enough\r\n');
      return false;
    }
    const at = held.indexOf(END);
    if (at === -1) return false;
    const raw = held.subarray(0, at + END.length);
    held = held.subarray(at + END.length);
    const isFirst = kind === 'later' && !seen.has(rcpts[0] as string);
    if (isFirst) seen.add(rcpts[0] as string);
    end(raw, !isFirst, isFirst ? '450 4.2.1 later\r\n' : '250 2.0.0 taken\r\n');
    return true;
  };
  socket.on('data', (chunk) => {
    held = Buffer.concat([held, chunk]);
    for (let goesOn = true; goesOn; ) {
      if (isData) {
        goesOn = content();
        continue;
      }
      const at = held.indexOf('\r\n');
      goesOn = at !== -1;
      if (goesOn) {
        const line = held.subarray(0, at).toString();
        held = held.subarray(at + 2);
        command(line);
      }
    }
    reads += 1;
    // What it does not read piles up at the other end, in the middle of a write.
    if (reads % 3 === 0) {
      socket.pause();
      setTimeout(() => socket.resume(), 5);
    }
  });
}
