/** Who the client says it is, and how the session is secured: EHLO, HELO, STARTTLS and AUTH. */
import { type Response, reply } from '../../core/response.ts';
import { encodeReply } from './reply-lines.ts';
import type { SessionPort, SessionSettings } from './session-port.ts';

export interface Hello {
  readonly host: string;
  /** EHLO rather than HELO was said. */
  readonly isEsmtp: boolean;
  /** DSN was among what it was told. */
  readonly isOfferedDsn: boolean;
}

/** RFC 5321 §4.5.3.1.2 bounds a domain at 255 octets; names that are none are common and harmless. */
const HELLO_NAME = /^[^\s\u0000-\u001f\u007f]{1,255}$/u;

export class HelloDialog {
  readonly #settings: SessionSettings;
  readonly #port: SessionPort;
  readonly #refuse: (response: Response) => undefined;
  #hello: Hello | undefined;

  constructor(settings: SessionSettings, port: SessionPort, refuse: (response: Response) => undefined) {
    this.#settings = settings;
    this.#port = port;
    this.#refuse = refuse;
  }

  get hello(): Hello | undefined {
    return this.#hello;
  }

  /** RFC 3207 §4.2: what was said before TLS is forgotten. */
  forget(): void {
    this.#hello = undefined;
  }

  /** EHLO or HELO; answers `true` when it was accepted, and then any open transaction ends (RFC 5321 §4.1.4). */
  say(line: string, isEsmtp: boolean): boolean {
    const host = line.slice(4).trim();
    if (!HELLO_NAME.test(host)) {
      this.#refuse(reply(501, '5.5.4', `syntax: ${isEsmtp ? 'EHLO' : 'HELO'} host-name`));
      return false;
    }
    const { greetings, offersDsn } = this.#settings;
    const isOfferedDsn = isEsmtp && offersDsn();
    this.#hello = { host, isEsmtp, isOfferedDsn };
    this.#port.write(isEsmtp ? greetings.toEhlo(this.#port.isSecure, isOfferedDsn) : greetings.toHelo);
    return true;
  }

  startTls(line: string, isMailOpen: boolean): undefined {
    if (!this.#settings.offersStartTls) return this.#refuse(reply(502, '5.5.1', 'STARTTLS is not available'));
    if (line.length !== 'STARTTLS'.length) return this.#refuse(reply(501, '5.5.4', 'STARTTLS has no parameters'));
    if (this.#port.isSecure) return this.#refuse(reply(503, '5.5.1', 'TLS is already active'));
    if (isMailOpen) return this.#refuse(reply(503, '5.5.1', 'STARTTLS inside a mail transaction'));
    this.#port.write(encodeReply(reply(220, '2.0.0', 'ready to start TLS')));
    this.#port.startTls();
    return undefined;
  }

  /** RFC 4954 §4; the exchange itself is the connection's. */
  async auth(line: string, isMailOpen: boolean): Promise<undefined> {
    if (!this.#settings.offersAuth) return this.#refuse(reply(502, '5.5.1', 'AUTH is not available'));
    if (!this.#port.isSecure) return this.#refuse(reply(538, '5.7.11', 'encryption required: use STARTTLS first'));
    if (this.#hello?.isEsmtp !== true) return this.#refuse(reply(503, '5.5.1', 'send EHLO first'));
    if (this.#port.isAuthenticated) return this.#refuse(reply(503, '5.5.1', 'already authenticated'));
    if (isMailOpen) return this.#refuse(reply(503, '5.5.1', 'AUTH inside a mail transaction'));
    await this.#port.authenticate(Buffer.from(line));
    return undefined;
  }
}
