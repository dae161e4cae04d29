/** The facts that the program's own filters observe, for plugins that read them: what a policy's matchers know, a plugin's may know. */
import { arcSignal } from '../core/signals/arc.ts';
import { dkimSignal } from '../core/signals/dkim.ts';
import { dmarcSignal } from '../core/signals/dmarc.ts';
import { dnsResolutionSignal } from '../core/signals/dns-resolution.ts';
import { messageValidationSignal } from '../core/signals/message-validation.ts';
import { policyOutcomeSignal } from '../core/signals/policy-outcome.ts';
import { remoteHostSignal } from '../core/signals/remote-host.ts';
import { spfSignal } from '../core/signals/spf.ts';

/**
 * By the filter that sets them. A matcher names what it reads under `consumes`, so that a policy before that filter is refused at load.
 *
 * ```js
 * defineMatcher({
 *   name: 'sent_from_home',
 *   summary: 'The peer is one of our hosts.',
 *   reads: 'mail',
 *   consumes: [signals.remoteHost],
 *   create: () => (tx) => {
 *     const host = tx.signals.get(signals.remoteHost);
 *     if (host === undefined) return 'unmet';
 *     return host.fcrdns && host.remoteHostname?.endsWith('.example.com') ? 'match' : 'noMatch';
 *   },
 * });
 * ```
 */
export const signals = {
  arc: arcSignal,
  dkim: dkimSignal,
  dmarc: dmarcSignal,
  dnsResolution: dnsResolutionSignal,
  messageValidation: messageValidationSignal,
  policyOutcome: policyOutcomeSignal,
  remoteHost: remoteHostSignal,
  spf: spfSignal,
} as const;
