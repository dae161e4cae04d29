/** Reads `storage.url`: our own forms, and those of SQLAlchemy that upstream's configurations hold. */
import { exitCodes, UserError } from '../core/errors.ts';

export type StoreUrl =
  | { readonly kind: 'sqlite'; readonly file: string }
  /** `url` is what the driver takes; `shown` has no password. */
  | { readonly kind: 'postgres'; readonly url: string; readonly shown: string };

const FORMS =
  'write sqlite:///relative.sqlite, sqlite:////absolute/path.sqlite or postgresql://user@host:port/database';

/** Throws `UserError` (exit code 78, a configuration error) for anything else. */
export function parseStoreUrl(text: string): StoreUrl {
  const match = /^([a-z][a-z0-9]*)(?:\+[a-z0-9_]+)?:(.*)$/is.exec(text.trim());
  const scheme = match?.[1]?.toLowerCase();
  const rest = match?.[2] ?? '';
  if (scheme === 'sqlite') return sqliteUrl(text, rest);
  if (scheme === 'postgresql' || scheme === 'postgres') return postgresUrl(`postgresql:${rest}`);
  throw new UserError(
    scheme === undefined ? `the storage URL has no scheme: ${FORMS}` : `unknown storage scheme "${scheme}": ${FORMS}`,
    exitCodes.config,
  );
}

function sqliteUrl(text: string, rest: string): StoreUrl {
  const file = /^\/\/\/(.+)$/s.exec(rest)?.[1];
  if (file === undefined || file === ':memory:') {
    throw new UserError(`"${text}" names no file, and Koukan keeps mail on disk: ${FORMS}`, exitCodes.config);
  }
  if (file.includes('?')) {
    throw new UserError(`"${text}": options after "?" are not supported for SQLite: ${FORMS}`, exitCodes.config);
  }
  return { kind: 'sqlite', file };
}

function postgresUrl(url: string): StoreUrl {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !url.startsWith('postgresql://')) {
    throw new UserError(`the PostgreSQL URL cannot be read: ${FORMS}`, exitCodes.config);
  }
  return { kind: 'postgres', url, shown: withoutSecrets(parsed) };
}

function withoutSecrets(parsed: URL): string {
  const shown = new URL(parsed);
  shown.password = '';
  shown.search = '';
  return shown.href;
}

/** The URL as it may be shown to people and put into advice. */
export function shownUrl(url: StoreUrl): string {
  if (url.kind === 'postgres') return url.shown;
  return `sqlite:///${url.file}`;
}
