import type { TestTaskSpecAsWritten } from "../test-task/test-task.ts";
import { type LimitedAttribute, type OriginalDataset, type OriginalLimits, readBugs, readLimits } from "./original-dataset.ts";

type CheckAsWritten = NonNullable<TestTaskSpecAsWritten["checks"]>[number];
type Override<L> = { step: string; limit: L; reason?: string };

/** The limits' own: `durationSchema`, `limitSchema`, and how many overrides there may be. */
const MAX_SECONDS = 168 * 3600;
const MAX_OVERRIDES = 200;

const START = String.raw`([0-9]+) -> ([0-9]+)\.\.\.`;
const END = "done$";
const KEY = "{1}->{2}";
/** The server's counters are shown behind a migration, and belong to it until the next one begins. */
const STEPS = "migrations";

/**
 * What `real_db_upgrade` looked for in a log (`handle_results.py`), with the sentences that its reviewers read. Where the datasets of a job
 * differ in a limit, the largest holds for all of them.
 */
export function databaseChecks(datasets: readonly OriginalDataset[]): CheckAsWritten[] {
  return [
    absent("seed-database", "ERROR 1045", "FAILURE - Could not setup seed database"),
    absent("imports", "ImportError", "FAILURE - Could not import required module"),
    // A check has one sentence, whatever is wrong with a step.
    {
      name: "migrations-end",
      message: "FAILURE - Did not find the end of a migration after a start",
      steps: { start: START, end: END, key: KEY },
    },
    {
      name: STEPS,
      message: "WARNING - Migration {step} took too long",
      steps: { start: START, end: END, key: KEY, ...timeLimits(datasets) },
    },
    ...rowsCheck(datasets, "XInnodb_rows_changed", { name: "rows-changed", counter: "Innodb_rows_changed", deed: "changed" }),
    ...rowsCheck(datasets, "Innodb_rows_read", { name: "rows-read", counter: "Innodb_rows_read", deed: "read" }),
  ];
}

/** The attributes whose limits are not the same for all datasets. */
export function findDifferences(datasets: readonly OriginalDataset[]): LimitedAttribute[] {
  const attributes: LimitedAttribute[] = ["maximum_migration_times", "XInnodb_rows_changed", "Innodb_rows_read"];
  return attributes.filter((attribute) => {
    const texts = datasets.map((dataset) => {
      const limits = readLimits(dataset, attribute);
      return JSON.stringify([limits?.default, [...(limits?.steps ?? [])].toSorted(([left], [right]) => (left < right ? -1 : 1))]);
    });
    return new Set(texts).size > 1;
  });
}

function absent(name: string, regex: string, message: string): CheckAsWritten {
  return { name, message, pattern: { regex } };
}

function timeLimits(datasets: readonly OriginalDataset[]): { limit?: string; overrides?: Override<string>[] } {
  const limits = largestLimits(datasets, "maximum_migration_times");
  if (!limits) return {};
  const overrides = [...limits.steps].map(([step, seconds]) => {
    const bugs = [...new Set(datasets.flatMap((dataset) => readBugs(dataset, step)))].join(", ").slice(0, 200);
    return { step, limit: renderSeconds(seconds), ...(bugs === "" ? {} : { reason: bugs }) };
  });
  return { ...(limits.default === undefined ? {} : { limit: renderSeconds(limits.default) }), ...withOverrides(overrides) };
}

function rowsCheck(
  datasets: readonly OriginalDataset[],
  attribute: LimitedAttribute,
  { name, counter, deed }: { name: string; counter: string; deed: string },
): CheckAsWritten[] {
  const limits = largestLimits(datasets, attribute);
  if (limits?.default === undefined) return [];
  const overrides = [...limits.steps].map(([step, rows]) => ({ step, limit: Math.floor(rows) }));
  return [
    {
      name,
      message: `WARNING - Migration {step} ${deed} too many rows ({found})`,
      counters: {
        regex: `${counter}\\t([0-9]+)`,
        measure: "step",
        steps: STEPS,
        limit: Math.floor(limits.default),
        ...withOverrides(overrides),
      },
    },
  ];
}

function withOverrides<L>(overrides: Override<L>[]): { overrides?: Override<L>[] } {
  return overrides.length === 0 ? {} : { overrides: overrides.slice(0, MAX_OVERRIDES) };
}

/** A migration that a dataset does not name has its default. */
function largestLimits(datasets: readonly OriginalDataset[], attribute: LimitedAttribute): OriginalLimits | undefined {
  const all = datasets.map((dataset) => readLimits(dataset, attribute)).filter((limits) => limits !== undefined);
  if (all.length === 0) return undefined;
  const defaults = all.map((limits) => limits.default).filter((limit) => limit !== undefined);
  const steps = new Set(all.flatMap((limits) => [...limits.steps.keys()]));
  const largest = (step: string) => Math.max(...all.map((limits) => limits.steps.get(step) ?? limits.default ?? 0));
  return {
    default: defaults.length === 0 ? undefined : Math.max(...defaults),
    steps: new Map([...steps].map((step) => [step, largest(step)])),
  };
}

/** The least that a duration may be is a second. */
function renderSeconds(seconds: number): string {
  return `${Math.min(Math.max(Math.ceil(seconds), 1), MAX_SECONDS)}s`;
}
