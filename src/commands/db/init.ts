/** `koukan db init`: makes a database ready for a router. */
import { Command, Flags } from '../../lib/cli/oclif.ts';
import type { MigrationReport } from '../../lib/store/migrate.ts';

/** Makes a database ready for Koukan. */
export default class DbInit extends Command {
  static override description =
    'Make a database ready: creates the SQLite file or the tables in PostgreSQL, and applies what is missing. Safe to run again.';
  static override examples = [
    '<%= config.bin %> db init --url sqlite:///koukan.sqlite',
    '<%= config.bin %> db init --url postgresql://koukan@db.internal/koukan',
  ];
  static override enableJsonFlag = true;
  static override flags = {
    url: Flags.string({
      description: 'The database, as in storage.url.',
      env: 'KOUKAN_STORAGE_URL',
      required: true,
    }),
  };

  async run(): Promise<MigrationReport> {
    const { flags } = await this.parse(DbInit);
    const { migrate, describeReport } = await import('../../lib/store/migrate.ts');
    const { parseStoreUrl } = await import('../../lib/store/url.ts');
    const { systemClock } = await import('../../lib/ops/clock.ts');
    const report = await migrate(parseStoreUrl(flags.url), { now: systemClock.now(), mayCreate: true });
    this.log(describeReport(report));
    return report;
  }
}
