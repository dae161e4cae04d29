/**
 * Finds out who calls the REST API, before anything else is done for a request: by a bearer token (RFC 6750), by the certificate of a TLS
 * client, or, where neither is asked for, by the address of the peer. What a caller may do follows from that alone.
 *
 *   tokens configured     a token of the file; or a certificate whose name is trusted; anybody else hears 401
 *   certificates required a certificate of our authority; anybody else hears 401
 *   neither               everybody may submit; trusted are the peers listed (by default loopback), operator is who is on this machine
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { openTokens, type TokenBook } from '../auth/tokens.ts';
import type { WatchDeps } from '../auth/watched-file.ts';
import type { Caller } from './caller.ts';
import { LOOPBACK_NETWORKS, type Networks, networksOf } from './networks.ts';
import { RequestProblem } from './service.ts';

export interface AccessOptions {
  /** Path of the file of tokens. */
  readonly authTokens?: string;
  /** Networks of gateways and routers. Default: loopback, and none where tokens are asked for. */
  readonly trustedPeers?: readonly string[];
  /** Path of the PEM file with the authorities of client certificates. */
  readonly clientCa?: string;
  readonly requireClientCert: boolean;
  /** Names of trusted client certificates; default: any that our authority has signed. */
  readonly trustedNames?: readonly string[];
}

export interface AccessRequest {
  readonly headers: IncomingHttpHeaders;
  readonly socket: Socket;
}

export interface Access {
  /** Throws `RequestProblem` 401. */
  identify(request: AccessRequest): Caller;
}

const REALM = 'Bearer realm="koukan"';

/** Throws `UserError` when the tokens cannot be read. */
export function openAccess(options: AccessOptions, deps: WatchDeps): Access {
  const tokens = options.authTokens === undefined ? undefined : openTokens(options.authTokens, deps);
  const local = networksOf(LOOPBACK_NETWORKS);
  const isListed = options.trustedPeers !== undefined;
  const peers = isListed ? networksOf(options.trustedPeers ?? []) : tokens === undefined ? local : networksOf([]);
  const peerRules: PeerRules = { local, peers, isListed };
  // Where nothing but the connection says who calls, he is the same as long as it is there.
  const callers = new WeakMap<Socket, Caller>();
  const identify = (request: AccessRequest): Caller => {
    const certificate = certificateNames(request.socket);
    const isTrustedCertificate = certificate !== undefined && isNamed(certificate, options.trustedNames);
    const isTrusted = isTrustedCertificate || isTrustedPeer(request, peerRules);
    const names = certificate === undefined ? undefined : { name: certificateName(certificate), isTrusted };
    if (tokens !== undefined)
      return byToken(request, tokens, isTrusted) ?? byCertificate(isTrustedCertificate ? names : undefined);
    if (options.requireClientCert && names === undefined) throw noCertificate();
    const isOperator = isLocal(request, local);
    const name = names?.name ?? `peer ${request.socket.remoteAddress ?? 'unknown'}`;
    return { name, senders: 'any', isTrusted, isOperator };
  };
  return {
    identify(request) {
      if (tokens !== undefined || isPassedOn(request)) return identify(request);
      const known = callers.get(request.socket);
      if (known !== undefined) return known;
      const caller = identify(request);
      callers.set(request.socket, caller);
      return caller;
    },
  };
}

/** A listener as configured, with how it is guarded, as the options of its server. */
export function guarded(
  {
    tls,
    access,
  }: {
    readonly tls?: { readonly cert: string; readonly key: string };
    readonly access: AccessOptions & { readonly maxInflightPerPeer?: number };
  },
  deps: WatchDeps,
): {
  readonly access: Access;
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
  readonly maxInflightPerPeer?: number;
} {
  const { clientCa, maxInflightPerPeer } = access;
  return {
    access: openAccess(access, deps),
    ...(tls && { tls: { ...tls, ...(clientCa !== undefined && { clientCa }) } }),
    ...(maxInflightPerPeer !== undefined && { maxInflightPerPeer }),
  };
}

function byToken(request: AccessRequest, tokens: TokenBook, isTrustedPeer: boolean): Caller | undefined {
  const token = bearerToken(request.headers.authorization);
  if (token === undefined) return undefined;
  const grant = tokens.find(token);
  if (grant === undefined) throw refused('this token is not known', `${REALM}, error="invalid_token"`);
  return { ...grant, name: `token ${grant.name}`, isTrusted: grant.isTrusted || isTrustedPeer };
}

function byCertificate(certificate: { readonly name: string; readonly isTrusted: boolean } | undefined): Caller {
  if (certificate === undefined) throw refused('a bearer token is needed', REALM);
  return { ...certificate, senders: 'any', isOperator: false };
}

/** RFC 6750 §2.1; the scheme is case-insensitive (RFC 9110 §11.1). */
function bearerToken(header: string | undefined): string | undefined {
  return /^bearer +(\S+)\s*$/i.exec(header ?? '')?.[1];
}

function refused(detail: string, challenge: string): RequestProblem {
  return new RequestProblem(401, detail, { headers: { 'www-authenticate': challenge } });
}

function noCertificate(): RequestProblem {
  // RFC 9110 §15.5.2 wants a challenge; no scheme of it stands for a certificate, and a bearer token would not be known here.
  const headers = { 'www-authenticate': 'Mutual realm="koukan"' };
  return new RequestProblem(401, 'a client certificate of the configured authority is needed', { headers });
}

interface PeerRules {
  readonly local: Networks;
  readonly peers: Networks;
  /** The peers were written into the configuration: then they are believed even behind a proxy. */
  readonly isListed: boolean;
}

function isTrustedPeer(request: AccessRequest, { local, peers, isListed }: PeerRules): boolean {
  if (!isListed && !isLocal(request, local)) return false;
  return peers.has(request.socket.remoteAddress);
}

/** Who sits on this machine; a reverse proxy does too, but what it passes on comes from elsewhere. */
function isLocal(request: AccessRequest, local: Networks): boolean {
  return !isPassedOn(request) && local.has(request.socket.remoteAddress);
}

function isPassedOn({ headers }: AccessRequest): boolean {
  const by = headers.forwarded ?? headers['x-forwarded-for'] ?? headers['x-real-ip'] ?? headers.via;
  return by !== undefined;
}

const namesBySocket = new WeakMap<Socket, readonly string[]>();

/** The names in the certificate of a TLS client, when our authority has signed it. */
function certificateNames(socket: Socket): readonly string[] | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const known = namesBySocket.get(socket);
  if (known !== undefined) return known;
  const { subject, subjectaltname } = socket.getPeerCertificate();
  const alternative = (subjectaltname ?? '').split(', ').flatMap((name) => /^DNS:([^"]+)$/.exec(name)?.[1] ?? []);
  const common = [(subject as { readonly CN?: unknown } | undefined)?.CN]
    .flat()
    .filter((name) => typeof name === 'string');
  const names = [...common, ...alternative];
  namesBySocket.set(socket, names);
  return names;
}

function certificateName(names: readonly string[]): string {
  return `certificate ${names[0] ?? 'without a name'}`;
}

function isNamed(names: readonly string[], trusted: readonly string[] | undefined): boolean {
  return trusted === undefined || names.some((name) => trusted.includes(name.toLowerCase()));
}
