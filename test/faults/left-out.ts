/** What a machine lacks may be left out there, and is said; where everything is judged, nothing may be. */

/** With `CI` set a fault that cannot be tried fails its test file. `whyNot` is undefined for one that can. */
export function leftOut(whyNot: string | undefined, what: string): void {
  if (whyNot === undefined) return;
  if (process.env.CI !== undefined && process.env.CI !== '' && process.platform === 'linux') {
    throw new Error(`${what}: ${whyNot}. With CI set all faults have to be tried.`);
  }
  console.warn(`${what}: ${whyNot}.`);
}
