import * as z from "zod";

/** Limits by migration, `205->206`; `default` for all others. `_205_bugs` names the bugs that a limit is for. */
const limitsSchema = z.record(z.string(), z.unknown());

/** A `config.json` of the plugin real_db_upgrade. Its script is handed the other fields as they are. */
const configSchema = z.looseObject({
  project: z.string().min(1),
  type: z.string().min(1),
  seed_data: z.string().min(1),
  maximum_migration_times: limitsSchema.optional(),
  XInnodb_rows_changed: limitsSchema.optional(),
  Innodb_rows_read: limitsSchema.optional(),
});

/** A directory below `datasets_dir`, by its name. */
export interface OriginalDataset {
  name: string;
  config: z.output<typeof configSchema>;
}

/** What a limit is of; the names are those of `config.json`. */
export type LimitedAttribute = "maximum_migration_times" | "XInnodb_rows_changed" | "Innodb_rows_read";

export interface OriginalLimits {
  default: number | undefined;
  /** Of single migrations, by `205->206`. */
  steps: ReadonlyMap<string, number>;
}

/** Undefined for what is no dataset: project, type and seed_data must be there. */
export function parseDataset(name: string, document: unknown): OriginalDataset | undefined {
  const parsed = configSchema.safeParse(document);
  return parsed.success ? { name, config: parsed.data } : undefined;
}

/** Undefined where the dataset does not limit this. Entries that are neither `default` nor a migration's are no limits. */
export function readLimits({ config }: OriginalDataset, attribute: LimitedAttribute): OriginalLimits | undefined {
  const entries = Object.entries(config[attribute] ?? {}).flatMap(([key, value]) =>
    typeof value === "number" && Number.isFinite(value) && value >= 0 ? [[key, value] as const] : [],
  );
  if (entries.length === 0) return undefined;
  return {
    default: entries.find(([key]) => key === "default")?.[1],
    steps: new Map(entries.filter(([key]) => /^[0-9]+->[0-9]+$/.test(key))),
  };
}

/** The bugs that `maximum_migration_times` names for a migration, up or down: `_205_bugs` is for 204->205 and for 205->204. */
export function readBugs({ config }: OriginalDataset, step: string): string[] {
  const [from = 0, to = 0] = step.split("->").map(Number);
  const bugs = config.maximum_migration_times?.[`_${Math.max(from, to)}_bugs`];
  if (!Array.isArray(bugs)) return [];
  return bugs.filter((bug) => typeof bug === "number" || typeof bug === "string").map((bug) => `bug ${bug}`);
}
