/**
 * The memory that plain connections are read into: one piece for all of them. What comes in is dealt with in the callback that brings it, so nothing
 * has to outlive that; Node would make new memory of 64 KB for each read, which its garbage collector then has to find again.
 *
 * Node's `onread` says where a socket reads to, and can only be given to the constructor of a socket, while sockets that are accepted are made by the
 * server. So this sets what the constructor would set: two fields of the socket, found by what they hold, and `useUserBuffer` of its handle (the
 * same from Node 20 to 24). Where one of them is missing, sockets read as they do by themselves.
 */
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { limits } from '../../core/limits.ts';

type OnRead = (length: number) => boolean;

/** What this relies on of a socket that is not documented. */
interface Inside {
  [slot: symbol]: unknown;
  readonly _handle?: { readonly useUserBuffer?: (buffer: Uint8Array) => void } | null;
}

interface Slots {
  readonly buffer: symbol;
  readonly callback: symbol;
}

const bytes = Buffer.allocUnsafeSlow(limits.sharedReadBytes);
const slots = findSlots();

/**
 * Has the socket read into memory that it shares with others: `take` gets what came in, which is overwritten when it returns. Says `false` when
 * that is not to be had, as with TLS. Only for a socket that nobody has read from since its last pause.
 */
export function readShared(socket: Socket, take: (bytes: Buffer) => void): boolean {
  const inside = socket as unknown as Inside;
  const handle = inside._handle;
  if (slots === undefined || Object.getPrototypeOf(socket) !== Socket.prototype) return false;
  if (typeof handle?.useUserBuffer !== 'function') return false;
  const onRead: OnRead = (length) => {
    take(bytes.subarray(0, length));
    return true;
  };
  inside[slots.callback] = onRead;
  inside[slots.buffer] = bytes;
  handle.useUserBuffer(bytes);
  return true;
}

function findSlots(): Slots | undefined {
  const callback: OnRead = () => true;
  const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = { onread: { buffer: bytes, callback } };
  const probe = new Socket(options);
  const slotOf = (value: unknown): symbol | undefined =>
    Object.getOwnPropertySymbols(probe).find((slot) => (probe as unknown as Inside)[slot] === value);
  const found = { buffer: slotOf(bytes), callback: slotOf(callback) };
  probe.destroy();
  return found.buffer === undefined || found.callback === undefined
    ? undefined
    : { buffer: found.buffer, callback: found.callback };
}
