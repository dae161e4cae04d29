/** Who writes an envelope by hand is told at once; from a gateway comes what an SMTP client wrote, and that is for policies to answer. */
import { isValidDsnParam } from '../core/dsn-request.ts';
import { type Mailbox, parseAddress } from '../core/mailbox.ts';
import { type CreateAsk, RequestProblem } from '../http/service.ts';

/** Throws `RequestProblem` 400 with the place of the first mistake. */
export function checkEnvelope({ mailFrom, rcptTo }: CreateAsk): void {
  if (mailFrom !== undefined) {
    if (mailFrom.address !== '' && parseAddress(mailFrom.address) === undefined)
      throw mistake('must be an address, or empty for the null reverse-path', '/mail_from/m');
    checkParams(mailFrom, '/mail_from');
  }
  for (const [i, rcpt] of rcptTo.entries()) {
    if (parseAddress(rcpt.address) === undefined)
      throw mistake('must be an address: local-part@domain', `/rcpt_to/${i}/m`);
    checkParams(rcpt, `/rcpt_to/${i}`);
  }
}

/** What is asked of notifications has to be understood here; any other parameter is for the destination to judge. */
function checkParams({ params }: Mailbox, pointer: string): void {
  const wrong = params.findIndex((param) => !isValidDsnParam(param));
  if (wrong !== -1) throw mistake(`bad value of ${params[wrong]?.keyword} (RFC 3461)`, `${pointer}/e/${wrong}/p`);
}

function mistake(detail: string, pointer: string): RequestProblem {
  return new RequestProblem(400, detail, { pointer });
}
