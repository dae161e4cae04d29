/** Makes a configuration immutable, so that no part of the program can change what another reads. */

/** Freezes plain objects, lists and the values of maps; answers its argument. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  const parts = value instanceof Map ? value.values() : Object.values(value);
  for (const part of parts) deepFreeze(part);
  return value;
}
