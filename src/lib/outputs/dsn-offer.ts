/**
 * Offers the parameters of RFC 3461 to a next hop that may not know them. The Python original's gateway refuses such a message for good; then it
 * is offered the same message once more without them, and from then on at once (RFC 3461 §5.2.2: they are dropped, and the message goes on).
 */
import type { Body } from '../core/body.ts';
import { isDsnParam, withoutDsnParams } from '../core/dsn-request.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Hop } from '../core/hop.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { cancelledReply } from '../core/precondition.ts';
import { isOk, type Response } from '../core/response.ts';

/** What one output has learned of its next hops. */
export class DsnOffers {
  readonly #refusing = new WeakSet<Hop>();

  /** An exchange of `hop`; `open` opens one as often as it is needed. */
  open(hop: Hop, open: () => Exchange, from: Mailbox, to: Mailbox): Exchange {
    if (hop.offersDsn === true || !(from.params.some(isDsnParam) || to.params.some(isDsnParam))) return open();
    if (this.#refusing.has(hop)) return new DsnOffer(open, true, () => undefined);
    return new DsnOffer(open, false, () => {
      if (hop.offersDsn !== true) this.#refusing.add(hop);
    });
  }
}

interface Envelope {
  readonly mail: Response;
  readonly rcpt: Response;
}

/** As `createAt: 'rcpt'` has it, the answer to MAIL comes with the first recipient's. */
class DsnOffer implements Exchange {
  readonly #open: () => Exchange;
  readonly #isPlain: boolean;
  readonly #onRefusal: () => void;
  #from: Mailbox | undefined;
  #exchange: Exchange | undefined;
  #envelope: Promise<Envelope> | undefined;
  #answerMail: (response: Response) => void = () => undefined;
  #isClosed = false;

  constructor(open: () => Exchange, isPlain: boolean, onRefusal: () => void) {
    this.#open = open;
    this.#isPlain = isPlain;
    this.#onRefusal = onRefusal;
  }

  mail(from: Mailbox): Promise<Response> {
    this.#from = from;
    return new Promise((resolve) => {
      this.#answerMail = resolve;
    });
  }

  async rcpt(to: Mailbox): Promise<Response> {
    if (this.#isClosed || this.#from === undefined) return cancelledReply;
    if (this.#envelope !== undefined) {
      await this.#envelope;
      return this.#exchange?.rcpt(withoutDsnParams(to)) ?? cancelledReply;
    }
    this.#envelope = this.#offer(this.#from, to);
    const { mail, rcpt } = await this.#envelope;
    this.#answerMail(mail);
    return rcpt;
  }

  async data(body: Body): Promise<Response> {
    await this.#envelope;
    return this.#exchange?.data(body) ?? cancelledReply;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#answerMail(cancelledReply);
    await this.#exchange?.close();
  }

  async #offer(from: Mailbox, to: Mailbox): Promise<Envelope> {
    const plain = [withoutDsnParams(from), withoutDsnParams(to)] as const;
    if (this.#isPlain) return this.#ask(...plain);
    const answers = await this.#ask(from, to);
    if (!isParamRefusal(isOk(answers.mail) ? answers.rcpt : answers.mail)) return answers;
    await this.#exchange?.close();
    if (this.#isClosed) return { mail: cancelledReply, rcpt: cancelledReply };
    const again = await this.#ask(...plain);
    if (isOk(again.mail) && isOk(again.rcpt)) this.#onRefusal();
    return again;
  }

  async #ask(from: Mailbox, to: Mailbox): Promise<Envelope> {
    const exchange = this.#open();
    this.#exchange = exchange;
    const [mail, rcpt] = await Promise.all([exchange.mail(from), exchange.rcpt(to)]);
    return { mail, rcpt };
  }
}

/** RFC 5321 §4.1.1.11: a parameter is not known, or not implemented. */
function isParamRefusal({ code }: Response): boolean {
  return code === 504 || code === 555;
}
