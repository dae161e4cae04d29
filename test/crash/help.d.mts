/** Types of what the tests in TypeScript use of `help.mjs`. */

export const FIGURES: Readonly<Record<string, string>>;
