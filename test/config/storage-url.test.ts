/** The spellings of a storage URL. */
import { describe, expect, it } from 'vitest';
import { normaliseStorageUrl } from '../../src/lib/config/storage-url.ts';

describe('a storage URL', () => {
  it.each([
    ['sqlite:///koukan.sqlite', 'sqlite:///koukan.sqlite'],
    ['sqlite:////var/lib/koukan.sqlite', 'sqlite:////var/lib/koukan.sqlite'],
    ['sqlite+pysqlite:////var/lib/koukan.sqlite', 'sqlite:////var/lib/koukan.sqlite'],
    ['postgresql://me:pw@db:5432/mail', 'postgresql://me:pw@db:5432/mail'],
    ['postgresql+psycopg://me@/mail?host=/run/pg', 'postgresql://me@/mail?host=/run/pg'],
    ['postgresql+psycopg2://me@db/mail', 'postgresql://me@db/mail'],
    ['postgres://db/mail', 'postgresql://db/mail'],
  ])('%s is %s', (url, expected) => {
    expect(normaliseStorageUrl(url)).toEqual({ url: expected });
  });

  it.each([
    ['mysql://me:secret@db/mail', /not "mysql:\/\/me:…@db\/mail"$/],
    ['koukan.sqlite', /expected sqlite:\/\/\//],
    ['sqlite://', /in memory would lose mail/],
    ['sqlite:///:memory:', /in memory would lose mail/],
    ['sqlite://relative', /three slashes/],
    ['sqlite:///x?mode=ro', /options/],
    ['postgresql://', /expected postgresql:/],
  ])('%s is refused', (url, expected) => {
    expect(normaliseStorageUrl(url)).toEqual({ wrong: expect.stringMatching(expected) });
  });
});
