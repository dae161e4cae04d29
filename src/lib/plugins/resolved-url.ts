/** What Node's loader makes of a name: a file of its own, because only an ES module may ask, and commands are bundled as something else. */
export const resolvedUrl = (specifier: string): string => import.meta.resolve(specifier);
