/** What the command line of Koukan knows, from the manifest of the build: for checking commands that are written in documents and unit files. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

interface Flag {
  readonly char?: string;
  readonly type: 'option' | 'boolean';
  readonly allowNo?: boolean;
}

interface CommandFacts {
  readonly id: string;
  readonly flags: Readonly<Record<string, Flag>>;
  readonly args: Readonly<Record<string, { readonly required?: boolean }>>;
  readonly strict?: boolean;
}

const file = path.resolve(import.meta.dirname, '../../oclif.manifest.json');
const { commands } = JSON.parse(readFileSync(file, 'utf8')) as { commands: Record<string, CommandFacts> };

/** Says what is wrong with the words after `koukan`: no such command, no such flag, too many arguments. */
export function commandProblems(words: readonly string[]): readonly string[] {
  const [first = ''] = words;
  if (['help', '--help', '-h', '--version', '-V'].includes(first)) return [];
  const topic = Object.keys(commands).filter((id) => id.startsWith(`${first}:`));
  const id = topic.length > 0 && words[1] !== undefined ? `${first}:${words[1]}` : first;
  const command = commands[id];
  if (command === undefined) return topic.length > 0 && words.length === 1 ? [] : [`there is no command ${id}`];
  const rest = words.slice(id.split(':').length);
  const { problems, args } = readFlags(command, rest);
  const isTooMany = command.strict !== false && args > Object.keys(command.args).length;
  return [
    ...problems,
    ...(isTooMany ? [`${id} takes ${Object.keys(command.args).length} arguments, not ${args}`] : []),
  ];
}

function readFlags(command: CommandFacts, words: readonly string[]): { problems: string[]; args: number } {
  const problems: string[] = [];
  let args = 0;
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] ?? '';
    if (!/^--?[a-z]/i.test(word)) {
      args += 1;
      continue;
    }
    const [name = '', value] = word.replace(/^--?/, '').split('=', 2);
    const flag = flagNamed(command, name, word.startsWith('--'));
    if (flag === undefined) problems.push(`${command.id} has no flag ${word}`);
    else if (flag.type === 'option' && value === undefined) i += 1;
  }
  return { problems, args };
}

function flagNamed(command: CommandFacts, name: string, isLong: boolean): Flag | undefined {
  if (!isLong) return Object.values(command.flags).find(({ char }) => char === name);
  if (name === 'help') return { type: 'boolean' };
  const negated = command.flags[name.replace(/^no-/, '')];
  return command.flags[name] ?? (name.startsWith('no-') && negated?.allowNo === true ? negated : undefined);
}

/** The commands `koukan …` in a text, each as its words: in blocks of shell and in code between backquotes. */
export function commandsIn(markdown: string): readonly (readonly string[])[] {
  const blocks = [...markdown.matchAll(/^```(?:sh|shell|console|bash)\n(.*?)^```/gms)].map(([, text]) => text ?? '');
  const indented = [...markdown.matchAll(/^ {4}(?:\$ )?((?:npx )?koukan .*)$/gm)].map(([, text]) => text ?? '');
  const prose = markdown.replaceAll(/^```.*?^```/gms, '');
  const inline = [...prose.matchAll(/`((?:npx )?koukan [^`]+)`/g)].map(([, text]) =>
    (text ?? '').replaceAll('\n', ' '),
  );
  const lines = [...blocks, ...indented].flatMap((block) => block.replaceAll(/\\\n/g, ' ').split('\n'));
  return [...lines, ...inline].flatMap((line) => wordsAfterKoukan(line) ?? []);
}

function wordsAfterKoukan(line: string): (readonly string[])[] | undefined {
  const found = /(?:^|&&|\||;|\$ |-- )\s*(?:[A-Z_]+=\S+ )*(?:npx )?(?:koukan|node \S*bin\/koukan\.js) ([^|&;>#]*)/.exec(
    line,
  );
  const rest = found?.[1]?.split(/<<<|\s<\s/)[0] ?? '';
  const words = [...rest.matchAll(/"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"']+/g)].map(([word]) => word);
  return found === null ? undefined : [words.filter((word) => word !== '…' && word !== '\\')];
}
