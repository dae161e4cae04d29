/** Where the router keeps its state, as a URL: ours, and the spellings of SQLAlchemy that old files have. */

/** The URL in our form: `sqlite:///relative`, `sqlite:////absolute`, `postgresql://…`; or what is wrong with it. */
export function normaliseStorageUrl(url: string): { readonly url: string } | { readonly wrong: string } {
  const match = /^([a-z][a-z0-9]*)(?:\+[a-z0-9_]+)?:\/\/(.*)$/is.exec(url);
  const [, scheme = '', rest = ''] = match ?? [];
  switch (scheme.toLowerCase()) {
    case 'sqlite':
      return sqliteUrl(rest);
    case 'postgresql':
    case 'postgres':
      return rest === '' || /\s/.test(rest)
        ? { wrong: 'expected postgresql://user:password@host:5432/database' }
        : { url: `postgresql://${rest}` };
    default:
      return { wrong: `expected sqlite:///file.sqlite or postgresql://…, not ${JSON.stringify(withoutPassword(url))}` };
  }
}

function sqliteUrl(rest: string): { readonly url: string } | { readonly wrong: string } {
  if (rest === '' || rest === '/' || rest === '/:memory:') {
    return { wrong: 'a database in memory would lose mail: name a file, such as sqlite:///koukan.sqlite' };
  }
  if (!rest.startsWith('/')) {
    return { wrong: 'expected three slashes before a relative path and four before an absolute one' };
  }
  if (rest.includes('?')) return { wrong: 'options after ? are not known for sqlite' };
  return { url: `sqlite://${rest}` };
}

function withoutPassword(url: string): string {
  return url.replace(/(:\/\/[^:/@]*):[^@]*@/, '$1:…@');
}
