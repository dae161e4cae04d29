/** Long flags may be written with underscores, as upstream's tools spell them: `--mail_from` is `--mail-from`. */
export function normaliseFlagNames(args: readonly string[]): string[] {
  const end = args.indexOf('--');
  return args.map((arg, i) => {
    if (!arg.startsWith('--') || (end !== -1 && i >= end)) return arg;
    const equals = arg.indexOf('=');
    const name = equals === -1 ? arg : arg.slice(0, equals);
    return name.replaceAll('_', '-') + arg.slice(name.length);
  });
}
