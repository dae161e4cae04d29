/** Which keys and which words a schema allows at a path: what an unknown one is compared with to guess what was meant. */
import type { z } from 'zod';

type Schema = z.core.$ZodType;

/** The keys that a mapping at this path may have. */
export function schemaKeys(schema: Schema, path: readonly PropertyKey[]): string[] {
  const found = schemasAt(schema, path).flatMap((each) => Object.keys(shapeOf(each) ?? {}));
  return [...new Set(found)];
}

/** The words that are allowed at this path, when it is an enumeration or a union told apart by a word. */
export function schemaWords(schema: Schema, path: readonly PropertyKey[]): string[] {
  const words = schemasAt(schema, path).flatMap((each) => {
    const def = each._zod.def as { readonly values?: readonly unknown[]; readonly entries?: Record<string, unknown> };
    return [...(def.values ?? []), ...Object.values(def.entries ?? {})];
  });
  return [...new Set(words.filter((word) => typeof word === 'string'))];
}

function schemasAt(schema: Schema, path: readonly PropertyKey[]): Schema[] {
  return path.reduce<Schema[]>(
    (schemas, segment) => schemas.flatMap((each) => children(each, segment)).flatMap((child) => branches(child)),
    branches(schema),
  );
}

interface AnyDef {
  readonly type: string;
  readonly innerType?: Schema;
  readonly in?: Schema;
  readonly out?: Schema;
  readonly options?: readonly Schema[];
  readonly getter?: () => Schema;
  readonly shape?: Record<string, Schema>;
  readonly element?: Schema;
  readonly valueType?: Schema;
  readonly items?: readonly Schema[];
  readonly left?: Schema;
  readonly right?: Schema;
}

/** The plain schemas behind wrappers (optional, default, union, …); recursive schemas end here because a path is finite. */
function branches(schema: Schema): Schema[] {
  const def = schema._zod.def as unknown as AnyDef;
  const inner = [def.innerType, def.in, def.out, def.left, def.right, ...(def.options ?? [])];
  if (def.type === 'lazy' && def.getter !== undefined) inner.push(def.getter());
  const wrapped = inner.filter((each) => each !== undefined);
  return wrapped.length === 0 ? [schema] : wrapped.flatMap(branches);
}

function children(schema: Schema, segment: PropertyKey): Schema[] {
  const def = schema._zod.def as unknown as AnyDef;
  const child =
    def.type === 'object'
      ? shapeOf(schema)?.[String(segment)]
      : (def.items?.[Number(segment)] ?? def.element ?? def.valueType);
  return child === undefined ? [] : [child];
}

function shapeOf(schema: Schema): Record<string, Schema> | undefined {
  return (schema._zod.def as unknown as AnyDef).shape;
}
