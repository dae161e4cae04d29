/** What is in a router's database, looked at from outside while no router runs, or beside one. */
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import pg from 'pg';
import { keep } from '../../src/lib/store/sqlite/kept.ts';

/** What somebody still has to do, or holds. */
export interface Unfinished {
  /** Transactions that wait for their next attempt. */
  readonly due: number;
  /** Transactions that a session has in work. */
  readonly leased: number;
  readonly sessions: number;
}

const QUESTION = `select
  (select count(*) from transactions where next_attempt_at is not null) as due,
  (select count(*) from transactions where lease_session_id is not null) as leased,
  (select count(*) from sessions) as sessions`;

export async function unfinished(databaseUrl: string): Promise<Unfinished> {
  const row = await one(databaseUrl, QUESTION);
  return { due: Number(row.due), leased: Number(row.leased), sessions: Number(row.sessions) };
}

/** Resolves when nothing waits for an attempt and nothing is in work. */
export async function allIsDone(databaseUrl: string): Promise<void> {
  for (;;) {
    const { due, leased } = await unfinished(databaseUrl);
    if (due + leased === 0) return;
    await sleep(50);
  }
}

/** Attempts of which the delivery journal knows that they sent their message, and nobody knows what was answered. */
export async function unanswered(databaseUrl: string): Promise<number> {
  const row = await one(
    databaseUrl,
    `select (select count(*) from attempts where dot_sent_at is not null and ended_at is null)
      + (select count(*) from transactions where first_dot_sent_at is not null and first_ended_at is null) as marks`,
  );
  return Number(row.marks);
}

export const NOTHING_LEFT: Unfinished = { due: 0, leased: 0, sessions: 0 };

async function one(databaseUrl: string, question: string): Promise<Record<string, unknown>> {
  if (databaseUrl.startsWith('sqlite:')) {
    const db = keep(new Database(databaseUrl.replace('sqlite:///', ''), { readonly: true }));
    try {
      return keep(db.prepare(question)).get() as Record<string, unknown>;
    } finally {
      db.close();
    }
  }
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    return (await client.query(question)).rows[0] as Record<string, unknown>;
  } finally {
    await client.end();
  }
}
