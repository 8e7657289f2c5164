/** An object of somebody's YAML, nothing of which is known. */
export type Mapping = Readonly<Record<string, unknown>>;

/** Undefined for what is no object. */
export function asMapping(value: unknown): Mapping | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Mapping) : undefined;
}

/** Empty for what is no list. */
export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
