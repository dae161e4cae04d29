/**
 * What a SQL verb may use of a database: two calls and the named ways in which engines differ. Verbs are written once, as plain
 * parameterised text with `?` placeholders, and run inside a transaction somebody else begins and ends.
 */

export type SqlValue = string | number | null | Uint8Array;

export interface Sql {
  /** Runs a statement that answers rows: a select, or a change with `returning`. */
  all<R extends object>(text: string, params: readonly SqlValue[]): Promise<readonly R[]>;
  /** Runs a change; answers how many rows it touched. */
  run(text: string, params: readonly SqlValue[]): Promise<number>;
  /**
   * What a transaction locks. `database`: there is one writer at a time, so what a verb has read cannot change under it. `rows`: writers
   * run side by side, so a verb locks the rows it decides on (`lockRows`), and a claim passes over rows that others hold (`skipLocked`).
   */
  readonly locks: 'database' | 'rows';
  /** The same two calls for who need not wait, where an engine answers at once. */
  readonly atOnce?: SqlAtOnce;
}

export interface SqlAtOnce {
  all<R extends object>(text: string, params: readonly SqlValue[]): readonly R[];
  run(text: string, params: readonly SqlValue[]): number;
  /** Inserts one row; answers its number. */
  insert(text: string, params: readonly SqlValue[]): number;
}

/**
 * Whether rows are written in the form that takes the fewest pages. Only this version and later ones read it, so not where routers of the
 * version before may be at work on the same rows. Everybody reads both.
 */
export function isCompact(sql: Pick<Sql, 'locks'>): boolean {
  return sql.locks === 'database';
}

/** Ends a select whose rows this verb is about to decide on; `of` names the table when several are joined. */
export function lockRows(sql: Sql, of?: string): string {
  if (sql.locks === 'database') return '';
  return of === undefined ? ' for update' : ` for update of ${of}`;
}

/** Ends a select of a row that must not change before this transaction ends. */
export function freezeRows(sql: Sql): string {
  return sql.locks === 'database' ? '' : ' for share';
}

/** Ends a select of candidates, any of which will do: those somebody else is working on are passed over. */
export function skipLocked(sql: Sql): string {
  return sql.locks === 'database' ? '' : ' for update skip locked';
}

/** Ends a select of a row that must merely not disappear before this transaction ends. */
export function keepRows(sql: Sql): string {
  return sql.locks === 'database' ? '' : ' for key share';
}
