/** docs/filters.md: the way to all pages about what chains are made of. */

/** The first sentence is enough for a list. */
const row = (name, link, ...cells) => `| [${name}](${link}) | ${cells.join(' | ')} |`;

const kindOf = (steps, kind) => steps.filter(({ step }) => step.kind === kind);

export function indexPage({ steps, matchers, routingPolicies }) {
  const filters = kindOf(steps, 'filter').map(({ step, phases }) =>
    row(step.name, `filters/${step.name}.md`, phases.join(', ') || '–', step.summary),
  );
  const outputs = kindOf(steps, 'output').map(({ step }) => row(step.name, `filters/${step.name}.md`, step.summary));
  const parts = (page, each) => each.map(({ name, summary }) => row(name, `reference/${page}.md#${name}`, summary));
  return `${INTRO}
## Filters

| filter | works at | |
|---|---|---|
${filters.join('\n')}

## Outputs

| output | |
|---|---|
${outputs.join('\n')}

## Routing policies

What the \`policy\` of a [router](filters/router.md) may be.

| policy | |
|---|---|
${parts('routing-policies', routingPolicies).join('\n')}

## Matchers

What the \`match\` of a [policy_action](filters/policy_action.md) may ask.

| matcher | |
|---|---|
${parts('matchers', matchers).join('\n')}
`;
}

const INTRO = `# Filters, outputs, routing policies, matchers

Written by \`scripts/write-filter-docs.mjs\` from the program. A chain is a list of filters that ends in one output:

\`\`\`yaml
endpoint:
- name: example
  chain:
  - filter: policy_action            # judges
    tag: authenticated
    match: {not: {matcher: smtp_auth}}
    action: REJECT
    message: 5.7.1 authentication required
  - filter: received_header          # rewrites
  - filter: router                   # routes
    policy:
      name: dest_domain
      destination: {endpoint: gateway}
  - filter: dns_resolution           # observes, and resolves
    suffix: ''
  - filter: rest_output              # sends
\`\`\`

Filters that observe set *signals*: facts about the message, which never reject anything by themselves. A \`policy_action\` judges over them. The
steps run in the order they are written, once for each phase of SMTP (MAIL, RCPT, DATA); mail submitted over REST runs through the same phases.
A filter that reads a signal stands after the one that produces it: \`koukan config check\` says so when it does not.

\`koukan filters\` prints what is on these pages; with \`--config router.yaml\` also what the plugins of that file bring. Filters of your own:
[plugins.md](plugins.md). The keys around chains: [reference/router.yaml.md](reference/router.yaml.md).
`;
