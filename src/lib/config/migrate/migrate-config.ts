/** `koukan config migrate`: a configuration of an older generation (protocol §0.1) in today's words, comments kept. */
import type { ConfigKind } from '../kind.ts';
import { migrateRestOutput, migrateSmtpOutput } from './gateway-sections.ts';
import { type MigrationNote, OlderDocument } from './older-document.ts';
import { isOldestForm, migrateEndpoints, migrateStorage } from './router-endpoints.ts';
import { migrateSteps, separateSteps } from './router-steps.ts';

export interface MigratedConfig {
  /** As it was when there was nothing to change. */
  readonly text: string;
  /** One for each change, in the order they were made. */
  readonly notes: readonly MigrationNote[];
}

/** Of `received_header` in the oldest routers, where the file does not say. */
const OLDEST_HOP_LIMIT = 30;

/** Throws `InvalidConfigError` when the text is no YAML. What it does not know it leaves for the checker. */
export function migrateConfig(text: string, file: string, kind: ConfigKind): MigratedConfig {
  const doc = new OlderDocument(text, file);
  if (kind === 'router') {
    // Before there are senders.
    const hopLimit = isOldestForm(doc) ? OLDEST_HOP_LIMIT : undefined;
    migrateStorage(doc);
    separateSteps(doc);
    migrateEndpoints(doc);
    migrateSteps(doc, hopLimit);
  } else {
    migrateRestOutput(doc);
    migrateSmtpOutput(doc);
  }
  return { text: doc.notes.length === 0 ? text : doc.toString(), notes: doc.notes };
}
