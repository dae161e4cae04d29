/** `koukan db migrate`: brings the schema of a database up to date. */
import { Command, Flags } from '../../lib/cli/oclif.ts';
import type { MigrationReport } from '../../lib/store/migrate.ts';

/** Brings the schema of an existing database up to date. */
export default class DbMigrate extends Command {
  static override description =
    'Bring an existing database to the schema of this version. All missing migrations are applied in one transaction, or none.';
  static override examples = [
    '<%= config.bin %> db migrate --url sqlite:////var/lib/koukan/koukan.sqlite',
    '<%= config.bin %> db migrate --url postgresql://koukan@db.internal/koukan --json',
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
    const { flags } = await this.parse(DbMigrate);
    const { migrate, describeReport } = await import('../../lib/store/migrate.ts');
    const { parseStoreUrl } = await import('../../lib/store/url.ts');
    const { systemClock } = await import('../../lib/ops/clock.ts');
    const report = await migrate(parseStoreUrl(flags.url), { now: systemClock.now(), mayCreate: false });
    this.log(describeReport(report));
    return report;
  }
}
