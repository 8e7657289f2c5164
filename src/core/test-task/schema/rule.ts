import * as z from "zod";

/**
 * One rule about a value, written for both judges: `cel` for the API server (`self` is the value) and `holds` for this program. They
 * must agree on every value that the schema itself accepts, and neither may throw. `message` is what both say: it names the remedy.
 */
interface SchemaRule<T> {
  cel: string;
  holds: (value: T) => boolean;
  message: string;
  /** The property to blame when the value is an object. */
  field?: string;
}

/** What `withRules` leaves in a schema's metadata; the CRD carries it as it stands. */
export interface ValidationRule {
  rule: string;
  message: string;
  fieldPath?: string;
}

export function withRules<S extends z.ZodType>(schema: S, rules: readonly SchemaRule<z.output<S>>[]): S {
  let checked: z.ZodType = schema;
  for (const { holds, message, field } of rules) {
    checked = checked.refine((value) => holds(value as z.output<S>), { message, path: field === undefined ? [] : [field] });
  }
  return checked.meta({ "x-kubernetes-validations": [...validationRules(schema), ...rules.map(renderRule)] }) as S;
}

/** The rules that a schema carries already. */
export function validationRules(schema: z.ZodType): ValidationRule[] {
  return (schema.meta()?.["x-kubernetes-validations"] as ValidationRule[] | undefined) ?? [];
}

function renderRule({ cel, message, field }: SchemaRule<never>): ValidationRule {
  return { rule: cel, message, ...(field === undefined ? {} : { fieldPath: `.${field}` }) };
}

/** A string that matches `pattern` (RE2 and JavaScript alike). A rule instead of `pattern`, whose message could not say what to do. */
export function matchingString(pattern: string, maxLength: number, message: string): z.ZodString {
  const regExp = new RegExp(pattern);
  return withRules(z.string().max(maxLength), [
    { cel: `self.matches(${renderCelString(pattern)})`, holds: (text) => regExp.test(text), message },
  ]);
}

export function renderCelString(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/**
 * Rules that the text in `field` has no NUL (no container runtime takes it) and at most `maxBytes` in UTF-8. They belong to the object
 * that has the field: a rule of the text itself would have the API server print all of it.
 */
export function textRules<F extends string>(field: F, maxBytes: number, tooLong: string): SchemaRule<{ [name in F]?: string }>[] {
  const encoder = new TextEncoder();
  const rule = (cel: string, holds: (text: string) => boolean, message: string) => ({
    cel: `!has(self.${field}) || ${cel}`,
    holds: (value: { [name in F]?: string }) => holds(value[field] ?? ""),
    message,
    field,
  });
  return [
    rule(`bytes(self.${field}).size() <= ${maxBytes}`, (text) => encoder.encode(text).length <= maxBytes, tooLong),
    rule(`!self.${field}.contains('\\u0000')`, (text) => !text.includes("\0"), "must not contain a NUL character"),
  ];
}

/** A list without duplicates, in the schema `x-kubernetes-list-type: set`. */
export function setOf<S extends z.ZodType<string>>(item: S, limits: { min?: number; max: number }): z.ZodArray<S> {
  const schema = limitedArray(item, limits).superRefine(refuseDuplicates((value) => value as string, ""));
  return schema.meta({ "x-kubernetes-list-type": "set" });
}

/** A list of objects told apart by their property `key`, in the schema `x-kubernetes-list-type: map`. */
export function mapListOf<S extends z.ZodType<object>>(item: S, key: string, limits: { min?: number; max: number }): z.ZodArray<S> {
  const keyOf = (value: unknown) => (value as Record<string, unknown>)[key] as string;
  const schema = limitedArray(item, limits).superRefine(refuseDuplicates(keyOf, `.${key}`));
  return schema.meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key] });
}

function limitedArray<S extends z.ZodType>(item: S, { min, max }: { min?: number; max: number }): z.ZodArray<S> {
  const schema = z.array(item).max(max);
  return min === undefined ? schema : schema.min(min);
}

function refuseDuplicates(keyOf: (value: unknown) => string, keyPath: string) {
  return (items: unknown[], context: z.RefinementCtx) => {
    const firstIndex = new Map<string, number>();
    for (const [index, item] of items.entries()) {
      const earlier = firstIndex.get(keyOf(item));
      if (earlier === undefined) firstIndex.set(keyOf(item), index);
      else context.addIssue({ code: "custom", path: [index], message: `repeats entry [${earlier}]${keyPath}; remove one of them` });
    }
  };
}
