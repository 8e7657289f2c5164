import type { Cut } from "../../support/proxies/lossy-proxy.ts";

/** What one build's test does. */
export interface BuildPlan {
  readonly index: number;
  /** Zuul's ref of its build set; the same for all its launches, and no other build's. */
  readonly ref: string;
  readonly job: string;
  readonly runMs: number;
  readonly exitCode: number;
  /** What Zuul must be told. */
  readonly result: string;
}

/** `job-c` has a lane of its own. */
export const JOBS = ["job-a", "job-b", "job-c"] as const;

export function planBuild(index: number, random: () => number): BuildPlan {
  const exitCode = random() < 0.6 ? 0 : 1 + Math.floor(random() * 200);
  return {
    index,
    ref: `Z${index.toString(16).padStart(32, "0")}`,
    job: JOBS[Math.floor(random() * JOBS.length)] as string,
    // Mostly around a second, some over several.
    runMs: 100 + 900 * random() + (random() < 0.3 ? 5000 * random() : 0),
    exitCode,
    result: exitCode === 0 ? "SUCCESS" : `build ${index} broke with ${exitCode}`,
  };
}

export type Trouble =
  /** One connection of the operator's to the server (`pick` in [0, 1)), or all of them. */
  | { readonly kind: "operator"; readonly cut: Cut; readonly pick: number | undefined }
  /** Zuul's connection to the server. */
  | { readonly kind: "zuul"; readonly cut: Cut }
  /** The server is killed with -9 and is back, empty, after `downMs`. */
  | { readonly kind: "kill"; readonly downMs: number };

/** Which kinds of trouble a drill has; `kill` and `zuul` are what makes Zuul itself lose builds. */
export type TroubleKind = Trouble["kind"];

export function planTrouble(kinds: readonly TroubleKind[], random: () => number): Trouble {
  const kind = kinds[Math.floor(random() * kinds.length)] as TroubleKind;
  if (kind === "kill") return { kind, downMs: 1500 * random() };
  const cut = planCut(random);
  if (kind === "zuul") return { kind, cut };
  return { kind, cut, pick: random() < 0.7 ? random() : undefined };
}

function planCut(random: () => number): Cut {
  const dice = random();
  if (dice < 0.35) return { how: "rst" };
  if (dice < 0.7) return { how: "fin" };
  // The servers' keepalive finds a dead peer in 5 s; the network is back some time later.
  if (dice < 0.85) return { how: "blackhole", ms: 8000 + 12_000 * random() };
  return { how: "stall", ms: 500 + 2500 * random() };
}
