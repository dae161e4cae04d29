/** House rules that a machine can check, so that no review has to. */
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { placeOf, type SourceFile, sourceFiles, walk } from './helpers/source-files.ts';

const FILE_LINES_MAX = 300;
/** A test may keep the cases of one subject together. */
const TEST_LINES_MAX = 500;
const FILE_LINES_P90 = 200;
const FUNCTION_LINES_MAX = 70;
/** Names that say nothing of what is inside. */
const DRAWERS = ['utils', 'helpers', 'types', 'lib', 'misc', 'common'];

const source = sourceFiles('src');
const tests = sourceFiles('test');
const everything = [...source, ...tests];

const isCommand = ({ path }: SourceFile): boolean => path.startsWith('src/commands/');

describe('files', () => {
  it(`have at most ${FILE_LINES_MAX} lines, tests ${TEST_LINES_MAX}`, () => {
    const long = [
      ...source.filter(({ lineCount }) => lineCount > FILE_LINES_MAX),
      ...tests.filter(({ lineCount }) => lineCount > TEST_LINES_MAX),
    ];
    expect(long.map(({ path, lineCount }) => `${path} has ${lineCount} lines`)).toEqual([]);
  });

  it(`nine of ten in src have at most ${FILE_LINES_P90} lines`, () => {
    const sorted = source.toSorted((a, b) => a.lineCount - b.lineCount);
    const p90 = sorted[Math.ceil(sorted.length * 0.9) - 1]?.lineCount ?? 0;
    const longest = sorted.slice(-10).map(({ path, lineCount }) => `${lineCount} ${path}`);
    expect(p90, `the longest are\n${longest.join('\n')}`).toBeLessThanOrEqual(FILE_LINES_P90);
  });

  it('are named in kebab-case, after what is inside', () => {
    const wrong = everything.filter(({ path }) => {
      const name = path.slice(path.lastIndexOf('/') + 1).replace(/(\.test)?\.ts$/, '');
      return !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) || DRAWERS.includes(name);
    });
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('in src begin by saying what they are', () => {
    const silent = source.filter(({ text }) => !/^(#!.*\n)?(\/\*|\/\/)/.test(text));
    expect(silent.map(({ path }) => `${path} does not begin with a comment`)).toEqual([]);
  });

  it('leave nothing to do for later', () => {
    const marks = new RegExp(`\\b(${['TO', 'DO'].join('')}|${['FIX', 'ME'].join('')})\\b`);
    const wrong = everything.flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, i) => (marks.test(line) ? [`${path}:${i + 1}`] : [])),
    );
    expect(wrong).toEqual([]);
  });

  it('export by name; only commands have a default, which is how oclif finds them', () => {
    const wrong = everything
      .filter((file) => !isCommand(file))
      .flatMap((file) => {
        const found: string[] = [];
        walk(file.tree, (node) => {
          const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : [];
          const isDefault = modifiers.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword);
          if (ts.isExportAssignment(node) || isDefault) found.push(placeOf(file, node));
        });
        return found;
      });
    // Vitest calls the default export of its global set-up.
    expect(wrong.filter((place) => !place.startsWith('test/helpers/global-setup.ts'))).toEqual([]);
  });
});

describe('functions', () => {
  it(`have at most ${FUNCTION_LINES_MAX} lines`, () => {
    const long = source.flatMap((file) => {
      const found: string[] = [];
      walk(file.tree, (node) => {
        if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return;
        const lines = linesOf(file, node);
        if (lines > FUNCTION_LINES_MAX) found.push(`${placeOf(file, node)} has ${lines} lines`);
      });
      return found;
    });
    expect(long).toEqual([]);
  });
});

describe('tests', () => {
  it('all run', () => {
    const skipped = tests.flatMap((file) => {
      const found: string[] = [];
      walk(file.tree, (node) => {
        if (!ts.isPropertyAccessExpression(node)) return;
        const isRunner = ['it', 'test', 'describe'].includes(node.expression.getText());
        if (isRunner && ['skip', 'only', 'todo'].includes(node.name.text)) found.push(placeOf(file, node));
      });
      return found;
    });
    expect(skipped).toEqual([]);
  });
});

function linesOf(file: SourceFile, node: ts.Node): number {
  const line = (position: number): number => file.tree.getLineAndCharacterOfPosition(position).line;
  return line(node.getEnd()) - line(node.getStart()) + 1;
}
