import type { BuildState } from "./build-state.ts";

/** WORK_STATUS counts the steps of a build's life. */
export const STEPS = ["accepted", "created", "scheduled", "preparing", "running", "ended"] as const;

/** How many of `STEPS` lie behind a build in this state. */
export function stepsDone(state: BuildState): number {
  switch (state.kind) {
    case "absent":
      return 0;
    case "suspended":
    case "queued":
    case "unscheduled":
      return 1;
    case "preparing":
      return state.pod.isStarted ? 3 : 2;
    case "running":
      return 4;
    case "exited":
    case "not-started":
    case "lost":
      return 5;
  }
}

/** Of several Jobs of one build the one that has come the least; of those that are as far, the first. `states` are not empty. */
export function leastAdvanced(states: readonly BuildState[]): BuildState {
  return states.reduce((least, state) => (stepsDone(state) < stepsDone(least) ? state : least));
}
