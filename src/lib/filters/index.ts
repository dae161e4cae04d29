/** All filters of the program, alphabetical: the one registry chains are compiled from and documentation is printed from. */
import type { FilterDefinition } from '../chain/filter.ts';
import { addRoute } from './add-route.ts';
import { dkimSign } from './dkim-sign.ts';
import { dnsResolution } from './dns-resolution.ts';
import { messageBuilder } from './message-builder.ts';
import { messageValidation } from './message-validation.ts';
import { policyAction } from './policy-action.ts';
import { receivedHeader } from './received-header.ts';
import { recipientRouter } from './recipient-router.ts';
import { relayAuth } from './relay-auth.ts';

export const filters: readonly FilterDefinition[] = [
  addRoute,
  dkimSign,
  dnsResolution,
  messageBuilder,
  messageValidation,
  policyAction,
  receivedHeader,
  recipientRouter,
  relayAuth,
];
