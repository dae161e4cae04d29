/** A connection on which the schema is looked at and changed, and nothing else: what migrations need of an engine. */
import type { Sql } from './sql/sql.ts';

export interface SchemaConnection {
  readonly sql: Sql;
  /** Begins the transaction in which nobody else can migrate. */
  lock(): Promise<void>;
  /** Runs a file of several statements. */
  script(text: string): Promise<void>;
  tableNames(): Promise<readonly string[]>;
  close(): Promise<void>;
}
