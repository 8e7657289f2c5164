import type { CheckResult } from "../../../src/core/checks/check-result.ts";
import { BUILD_FILE, renderBuildFile } from "../../../src/core/logs/build-file.ts";
import type { BuildReport } from "../../../src/core/report/build-report.ts";
import type { Verdict } from "../../../src/core/verdict/verdict.ts";
import type { LogStore } from "../../../src/logs/stores/log-store.ts";
import { StoredBuilds } from "../../../src/logs/stores/stored-builds.ts";
import { sampleBuild } from "../pages/sample-pages.ts";

export const CHECKS_PASSED: Verdict = { result: "SUCCESS", class: "success", rule: "checks-passed", message: "" };

/** A step, or without a name of one a number, and what it came to. */
export function keptCheck(name: string, amount: number, step?: string): CheckResult {
  const common = { name, outcome: "passed" as const, message: "", findings: [], more: 0 };
  return step === undefined
    ? { ...common, kind: "values", amounts: [{ most: amount }] }
    : { ...common, kind: "steps", steps: [{ name: step, line: 1, seconds: amount }] };
}

/** Keeps a build that has ended, the later the higher its index. `text` is its `build.json`, where it is to be another one. */
export async function keepBuild(
  store: LogStore,
  task: string,
  index: number,
  { checks = [], text, ...more }: Partial<BuildReport> & { checks?: CheckResult[]; text?: string },
): Promise<void> {
  const builds = new StoredBuilds(store);
  const { signal } = new AbortController();
  const jobName = `${task}-${String(index).padStart(16, "0")}`;
  const place = { namespace: "ci", jobName, endedAt: new Date(1_767_225_600_000 + index * 1000), logPath: `logs/${task}/${index}` };
  const known = { number: jobName, jobName, namespace: "ci", task, verdict: CHECKS_PASSED };
  const { dataset: _, ...sample } = sampleBuild(known);
  const build = { ...sample, functionName: `build:${task}`, item: { project: "nova", branch: "master" }, ...more };
  const { directory } = await builds.begin(place, signal);
  const file = { version: 1 as const, build, containers: [], commits: [], logs: [], problems: [], checks };
  await store.putText(`${directory}/${BUILD_FILE}`, text ?? renderBuildFile(file), signal);
  await builds.finish(place, directory, build, signal);
}
