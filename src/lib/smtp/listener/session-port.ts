/** What the parts of a session need of the world around them: the listener's settings and the connection they run on. */
import type { Deps } from '../../core/deps.ts';
import type { HostPort, SmtpMeta } from '../../core/envelope.ts';
import type { SmtpMeter } from '../../core/meters.ts';
import type { Response } from '../../core/response.ts';
import type { Spool } from '../../spool/spool.ts';
import type { Greetings } from './greetings.ts';
import type { MailTaker } from './mail-taker.ts';

/** What is known about a session when a transaction begins. */
export interface SessionFacts {
  /** Identifies the session in logs. */
  readonly id: string;
  readonly remoteHost: HostPort;
  readonly localHost: HostPort;
  readonly smtpMeta: SmtpMeta;
}

/** The settings all sessions of a listener share. */
export interface SessionSettings {
  readonly greetings: Greetings;
  readonly maxBytes: number;
  readonly enableBdat: boolean;
  /** Asked at each EHLO. */
  readonly offersDsn: () => boolean;
  readonly offersStartTls: boolean;
  readonly offersAuth: boolean;
  readonly spool: Spool;
  readonly deps: Deps;
  readonly meter?: SmtpMeter;
  /** Called for each MAIL; a session gives the same facts as long as nothing changes. */
  readonly open: (facts: SessionFacts) => MailTaker;
}

/** The connection under a session. */
export interface SessionPort {
  readonly id: string;
  readonly remoteHost: HostPort;
  readonly localHost: HostPort;
  readonly isSecure: boolean;
  readonly isAuthenticated: boolean;
  /** The next line belongs to an AUTH exchange. */
  readonly isInAuth: boolean;
  /** Text leaves with the next `flush`, or when there is much of it. */
  write(text: string): void;
  /** What was written leaves when this turn of the loop is over, together with what comes until then. */
  flush(): void;
  /** Resolves when the client has read enough of what was written; absent when it has. */
  writable(): Promise<void> | undefined;
  /** AUTH or a line of its exchange; answers by itself and resolves when the next line may be read. */
  authenticate(line: Buffer): Promise<void>;
  /** A faulty line ends an AUTH exchange. */
  abortAuth(): void;
  startTls(): void;
  /** Says a last reply and ends the connection; nothing that was received after that is looked at. */
  hangUp(response: Response): undefined;
  /** The same to a client that is about to go by itself. */
  takeLeave(response: Response): undefined;
}
