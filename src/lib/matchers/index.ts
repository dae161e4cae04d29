/** All matchers of the program, alphabetical: the one registry policies are compiled from and documentation is printed from. */
import { addressList } from './address-list.ts';
import { arcCheck } from './arc-check.ts';
import { dkimCheck } from './dkim-check.ts';
import { dmarcCheck } from './dmarc-check.ts';
import { dnsResolution } from './dns-resolution.ts';
import { invalidMailFrom } from './invalid-mail-from.ts';
import { invalidRcptTo } from './invalid-rcpt-to.ts';
import type { MatcherDefinition } from './matcher.ts';
import { messageValidation } from './message-validation.ts';
import { networkAddress } from './network-address.ts';
import { numRcpts } from './num-rcpts.ts';
import { policyAction } from './policy-action.ts';
import { remoteHost } from './remote-host.ts';
import { smtpAuth } from './smtp-auth.ts';
import { smtpTls } from './smtp-tls.ts';
import { spfCheck } from './spf-check.ts';

export const matchers: readonly MatcherDefinition[] = [
  addressList,
  arcCheck,
  dkimCheck,
  dmarcCheck,
  dnsResolution,
  invalidMailFrom,
  invalidRcptTo,
  messageValidation,
  networkAddress,
  numRcpts,
  policyAction,
  remoteHost,
  smtpAuth,
  smtpTls,
  spfCheck,
];
