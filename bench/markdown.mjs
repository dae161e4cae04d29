/** Tables in Markdown. */
const line = (cells) => `| ${cells.map((cell) => cell ?? '').join(' | ')} |`;

/** Cells that are `undefined` are empty. */
export const table = (titles, rows) => [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
