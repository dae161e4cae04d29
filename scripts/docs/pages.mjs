/** All pages that are written from the program, by their path below `docs/`. Needs a build. */
import { registry } from '../../dist/lib/chain/registry.js';
import { gatewaySchema } from '../../dist/lib/config/gateway-schema.js';
import { routerSchema } from '../../dist/lib/config/router-schema.js';
import { routingPolicies } from '../../dist/lib/filters/routing/index.js';
import { matchers } from '../../dist/lib/matchers/index.js';
import { configPage } from './config-pages.mjs';
import { indexPage } from './index-page.mjs';
import { partSection, readNotes, stepPage, watchedRegistry } from './step-pages.mjs';

/** @returns the text of each page, and what is wrong with the notes and examples they are made of. */
export async function allPages() {
  const mistakes = [];
  const pages = new Map();
  const steps = [];
  for (const step of registry.steps) {
    const watched = watchedRegistry(registry);
    const notes = await readNotes('filters', step.name, watched.registry, mistakes);
    const phases = watched.phasesOf(step.name);
    steps.push({ step, phases });
    pages.set(`filters/${step.name}.md`, stepPage(step, phases, notes));
  }
  const sections = async (prefix, parts) => {
    const written = [];
    for (const part of parts) {
      written.push(partSection(part, await readNotes('reference', `${prefix}-${part.name}`, registry, mistakes)));
    }
    return written.join('\n');
  };
  pages.set('reference/matchers.md', `${MATCHERS}\n${await sections('matcher', matchers)}`);
  pages.set('reference/routing-policies.md', `${ROUTING}\n${await sections('routing', routingPolicies)}`);
  pages.set('reference/router.yaml.md', configPage('router.yaml', routerSchema));
  pages.set('reference/gateway.yaml.md', configPage('gateway.yaml', gatewaySchema));
  pages.set('filters.md', indexPage({ steps, matchers, routingPolicies }));
  return { pages, mistakes };
}

const MATCHERS = `# Matchers

Written by \`scripts/write-filter-docs.mjs\` from the program; the notes are in \`docs/reference/notes/\`.

A matcher is a question about one transaction: what \`match\` of a [policy_action](../filters/policy_action.md) asks. \`{matcher: NAME, …options}\`
is a question; \`{any: […]}\`, \`{all: […]}\` and \`{not: …}\` combine them.

The answer is yes, no, or *not to be known*: a fact that is needed does not exist. \`any\` and \`all\` stop at the first answer that decides them, and
at one that is not to be known; \`not\` leaves it so. A policy whose question cannot be answered does not act, and neither do later ones with its tag.
`;

const ROUTING = `# Routing policies

Written by \`scripts/write-filter-docs.mjs\` from the program; the notes are in \`docs/reference/notes/\`.

The \`policy\` of the filter [router](../filters/router.md) is one of these: its \`name\`, its options, and the \`destination\` of the recipients it
knows.
`;
