/** All filters of the program, alphabetical: the one registry chains are compiled from and documentation is printed from. */
import type { FilterDefinition } from '../chain/filter.ts';
import { addRoute } from './add-route.ts';
import { arcCheck } from './arc-check.ts';
import { authenticationResults } from './authentication-results.ts';
import { dkimCheck } from './dkim-check.ts';
import { dkimSign } from './dkim-sign.ts';
import { dmarcCheck } from './dmarc-check.ts';
import { dnsResolution } from './dns-resolution.ts';
import { messageBuilder } from './message-builder.ts';
import { messageParser } from './message-parser.ts';
import { messageValidation } from './message-validation.ts';
import { policyAction } from './policy-action.ts';
import { receivedHeader } from './received-header.ts';
import { recipientRouter } from './recipient-router.ts';
import { relayAuth } from './relay-auth.ts';
import { remoteHost } from './remote-host.ts';
import { spfCheck } from './spf-check.ts';

export const filters: readonly FilterDefinition[] = [
  addRoute,
  arcCheck,
  authenticationResults,
  dkimCheck,
  dkimSign,
  dmarcCheck,
  dnsResolution,
  messageBuilder,
  messageParser,
  messageValidation,
  policyAction,
  receivedHeader,
  recipientRouter,
  relayAuth,
  remoteHost,
  spfCheck,
];
