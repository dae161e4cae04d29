/** The source of the program as the tests about it see it: files, syntax trees, imports. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface SourceFile {
  /** Relative to the repository, with forward slashes: `src/lib/core/body.ts`. */
  readonly path: string;
  readonly text: string;
  readonly lineCount: number;
  readonly tree: ts.SourceFile;
}

/** All TypeScript files below a folder of the repository, in alphabetical order. */
export function sourceFiles(folder: string): readonly SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort()
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      const lineCount = text.replace(/\n$/, '').split('\n').length;
      return { path, text, lineCount, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
    });
}

export interface ImportOf {
  readonly from: string;
  /** A path of the repository, or the name of a package. */
  readonly to: string;
  readonly isRelative: boolean;
  /** Erased before the program runs. `import { type X }` is not: its module is still loaded. */
  readonly isTypeOnly: boolean;
}

export function importsOf(file: SourceFile): readonly ImportOf[] {
  const found: ImportOf[] = [];
  const add = (specifier: ts.Node | undefined, isTypeOnly: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
    const isRelative = specifier.text.startsWith('.');
    const to = isRelative ? normalize(join(dirname(file.path), specifier.text)) : specifier.text;
    found.push({ from: file.path, to, isRelative, isTypeOnly });
  };
  walk(file.tree, (node) => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, true);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false);
    }
  });
  return found;
}

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** `src/lib/core/body.ts:12`. */
export function placeOf(file: SourceFile, node: ts.Node): string {
  return `${file.path}:${file.tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}
