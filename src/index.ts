/**
 * The public API of the package: for plugins, which add filters, matchers, routing policies and outputs to a router (docs/plugins.md), and
 * for programs that receive mail over REST.
 */
export { z } from 'zod';
export type { Filter, Next, Phase, TxContext } from './lib/chain/filter.ts';
export { ConfigError, type ConfigMistake } from './lib/config/source.ts';
export { type Body, bodyBytes, memoryBody, prefixedBody } from './lib/core/body.ts';
export type { Clock, Deps, Dns, DnsAnswer, Log, MxRecord, Rng } from './lib/core/deps.ts';
export type { HostPort, Origin, SmtpMeta } from './lib/core/envelope.ts';
export type { Exchange } from './lib/core/exchange.ts';
export { domainOf, type EsmtpParam, findParam, type Mailbox, mailbox, parseAddress } from './lib/core/mailbox.ts';
export { isOk, isPermanent, isTemporary, type Response, reply } from './lib/core/response.ts';
export type { Route } from './lib/core/route.ts';
export type { Signals, SignalType } from './lib/core/signal.ts';
export type { RoutingPolicy, RoutingVerdict } from './lib/filters/routing/policy.ts';
export type { Matcher, RcptInHand, Verdict } from './lib/matchers/matcher.ts';
export {
  openTestChain,
  type TestChain,
  type TestChainAsk,
  type TestLogLine,
} from './lib/plugins/open-test-chain.ts';
export { definePlugin, type Plugin } from './lib/plugins/plugin.ts';
export type { PluginEnv } from './lib/plugins/plugin-env.ts';
export { defineFilter, type PluginFilter } from './lib/plugins/plugin-filter.ts';
export { defineMatcher, type PluginMatcher } from './lib/plugins/plugin-matcher.ts';
export { defineOutput, type PluginOutput } from './lib/plugins/plugin-output.ts';
export {
  defineRoutingPolicy,
  type PluginRoutingPolicy,
  type RoutingPolicyEnv,
} from './lib/plugins/plugin-routing-policy.ts';
export { signals } from './lib/plugins/signals.ts';
export type { ReceivedEnvelope, ReceivedMessage, ReceiverPhase } from './lib/receiver/received-message.ts';
export { createReceiver, type Receiver, type ReceiverOptions } from './lib/receiver/receiver.ts';
