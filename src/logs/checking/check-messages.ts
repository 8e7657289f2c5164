import type { KeptAmounts } from "../../core/checks/baseline.ts";
import type { LineTime } from "../../core/checks/line-times.ts";
import type { CheckedLog } from "../../core/checks/log-check.ts";
import type { ReadValues } from "../../core/checks/values-check.ts";
import type { Check } from "../../core/test-task/schema/check.ts";

/** One log: "begin", any number of "chunk", each answered by "taken", and "end", answered by "checked". */
export type ToWorker =
  | {
      kind: "begin";
      checks: readonly Check[];
      times: readonly LineTime[];
      lastMs: number | undefined;
      kept: ReadonlyMap<string, KeptAmounts>;
    }
  | { kind: "chunk"; bytes: Uint8Array }
  | { kind: "end"; values: ReadValues };

export type FromWorker = { kind: "taken" } | { kind: "checked"; checked: CheckedLog[] } | { kind: "failed"; message: string };
