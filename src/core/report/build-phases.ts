import type { StepName, StepTime } from "./build-report.ts";

/** What a build spent its time with from one step to the next. */
export interface BuildPhase {
  step: StepName;
  /** For people, of the past. */
  doing: string;
  at: string;
  startMs: number;
  ms: number;
  /** It is the one that goes on. */
  isNow: boolean;
}

const DOINGS: Record<StepName, string> = {
  accepted: "waited for its turn",
  created: "waited for a node",
  scheduled: "waited for the node",
  preparing: "prepared: images, checkout, services",
  running: "ran its test",
  ended: "ended",
};

export function phasesOf(times: readonly StepTime[], now: Date): BuildPhase[] {
  return times.map(({ step, at }, index) => {
    const next = times[index + 1];
    const startMs = Date.parse(at);
    const endMs = next ? Date.parse(next.at) : step === "ended" ? startMs : Math.max(startMs, now.getTime());
    return { step, doing: DOINGS[step], at, startMs, ms: endMs - startMs, isNow: next === undefined && step !== "ended" };
  });
}
