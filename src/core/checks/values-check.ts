import type { JunitRecord } from "../artifacts/artifacts-record.ts";
import type { ValuesCheck } from "../test-task/schema/check.ts";
import { type KeptAmounts, PLAIN_AMOUNT, Usual } from "./baseline.ts";
import { type CheckOutcome, type StepAmount, sayFailed } from "./check-result.ts";
import type { CheckedLog } from "./log-check.ts";

/** What there is of an artifact: its text; "missing": the test left none of that name; "unread": artifacts were not stored, or it is too large, and why. */
export type ReadArtifact = { kind: "text"; text: string } | { kind: "missing" } | { kind: "unread"; why: string };

export interface ReadValues {
  /** By name; of those that checks name. */
  readonly artifacts: ReadonlyMap<string, ReadArtifact>;
  /** Counts of the task's junit files; undefined where there were none. */
  readonly junit: JunitRecord | { kind: "unread"; why: string } | undefined;
}

/** A number in an artifact that may only be so small or so large. */
export function checkValues(
  { name, message }: { name: string; message?: string | undefined },
  check: ValuesCheck,
  read: ReadValues,
  kept: KeptAmounts | undefined,
): CheckedLog {
  const { min, max, baseline } = check;
  const usual = baseline && new Usual(baseline, kept, PLAIN_AMOUNT);
  const what = check.junit ?? `${check.path} of ${check.artifact}`;
  const limit = [min === undefined ? "" : `at least ${min}`, max === undefined ? "" : `at most ${max}`].filter(Boolean).join(", ");
  const found = numberAt(check, read);
  const conclude = (outcome: CheckOutcome, words: string, shown: { found: string; limit: string }): CheckedLog => ({
    result: {
      ...{ name, kind: "values", outcome, message: words, more: 0 },
      findings: [{ text: words, ...(outcome === "failed" ? { isBad: true as const } : {}) }],
      ...(typeof found === "number" ? { amounts: [amountOf(found, max, usual)] } : {}),
    },
    ...(outcome === "failed"
      ? { says: sayFailed(message, { ...shown, ...(usual ? { usual: usual.usualWords("") } : {}) }, `${name} - ${words}`) }
      : {}),
  });
  if (typeof found !== "number") return conclude(found.outcome, found.words, { found: "nothing", limit });
  const isBeyond = (min !== undefined && found < min) || (max !== undefined && found > max);
  const over = usual?.over("", found);
  const limits = [limit === "" ? "" : `limit ${limit}`, usual?.of("").words].filter(Boolean).join(", ");
  const allowed = isBeyond || !over ? limit : over.limit;
  return conclude(isBeyond || over ? "failed" : "passed", `${what} is ${found} (${limits})`, { found: `${found}`, limit: allowed });
}

function amountOf(most: number, limit: number | undefined, usual: Usual | undefined): StepAmount {
  const mean = usual?.of("").known?.mean;
  return { most, ...(limit === undefined ? {} : { limit }), ...(mean === undefined ? {} : { usual: mean }) };
}

type NoValue = { outcome: "failed" | "unknown"; words: string };

function numberAt({ artifact = "", path = "", junit }: ValuesCheck, { artifacts, junit: counts }: ReadValues): number | NoValue {
  if (junit !== undefined) {
    if (counts && "kind" in counts) return { outcome: "unknown", words: `junit files can not be read - ${counts.why}` };
    return counts?.[junit] ?? { outcome: "failed", words: "there are no junit files" };
  }
  const read = artifacts.get(artifact) ?? { kind: "missing" };
  if (read.kind === "unread") return { outcome: "unknown", words: `${artifact} can not be read - ${read.why}` };
  if (read.kind === "missing") return { outcome: "failed", words: `the test left no ${artifact}` };
  let value: unknown;
  try {
    value = JSON.parse(read.text);
  } catch {
    return { outcome: "failed", words: `${artifact} is no JSON` };
  }
  for (const name of path.split(".")) {
    value =
      typeof value === "object" && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  }
  // JSON may hold one that is too large to be one here.
  return Number.isFinite(value) ? (value as number) : { outcome: "failed", words: `${artifact} has no number at ${path}` };
}
