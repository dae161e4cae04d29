/** The options of a schema in words, for reference pages and `koukan filters`: what the program checks is what it says. */
import { z } from 'zod';

export interface SchemaOption {
  readonly name: string;
  /** In YAML's words: `text`, `a whole number`, `list of text`. */
  readonly type: string;
  readonly isRequired: boolean;
  /** As JSON. */
  readonly default?: string;
  readonly description?: string;
}

type Json = z.core.JSONSchema.BaseSchema;

export function schemaOptions(schema: z.ZodType): readonly SchemaOption[] {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  return Object.entries(json.properties ?? {}).map(([name, given]) => {
    const property: Json = typeof given === 'object' ? given : {};
    return {
      name,
      type: typeWords(property),
      isRequired: json.required?.includes(name) === true && property.default === undefined,
      ...(property.default !== undefined && { default: JSON.stringify(property.default) }),
      ...(property.description !== undefined && { description: property.description }),
    };
  });
}

const WORDS: Readonly<Record<string, string>> = {
  object: 'mapping',
  integer: 'whole number',
  string: 'text',
  boolean: 'true or false',
  array: 'list',
};

function typeWords(property: Json): string {
  if (property.const !== undefined) return JSON.stringify(property.const);
  if (property.enum !== undefined) return property.enum.map(String).join(', ');
  const variants = (property.anyOf ?? property.oneOf)?.filter((each) => (each as Json).type !== 'null');
  if (variants !== undefined) return [...new Set(variants.map((each) => typeWords(each as Json)))].join(' or ');
  const items = property.items as Json | undefined;
  if (property.type === 'array' && items?.type !== undefined) return `list of ${typeWords(items)}`;
  if (property.type === undefined) return 'anything';
  const types = [property.type].flat().filter((type) => type !== 'null');
  return types.map((type) => WORDS[type] ?? type).join(' or ');
}
