import { GEARMAN_SERVER_KINDS, type GearmanServerKind } from "../support/gearman/gearman-server.ts";
import { between, makeRandom } from "../support/random.ts";
import type { ZuulItem } from "../support/zuul/zuul-launcher.ts";

/** What one build's test does, and what Zuul must be told of it. */
export interface BuildPlan {
  readonly index: number;
  /** The same for all launches of the build, and no other build's. */
  readonly id: string;
  readonly server: GearmanServerKind;
  readonly job: string;
  readonly item: ZuulItem;
  /** Launches before Zuul gives up with RETRY_LIMIT. */
  readonly attempts: number;
  readonly runSeconds: number;
  readonly exitCode: number;
  /** What the test does at SIGTERM; a test that then exits 0 has not passed. */
  readonly onTerm: "exit-143" | "exit-0" | "ignore";
  /** The first line of the test's result file. */
  readonly text: string;
  readonly result: string;
  /** Zuul cancels it so long after its launch. */
  readonly cancelAfterMs: number | null;
}

/** `drill-b` has a limit, and so a lane of its own. */
export const DRILL_JOBS = ["drill-a", "drill-b", "drill-c"] as const;
export const DRILL_LIMITS: Readonly<Record<string, number>> = { "drill-b": 6 };

/** A pure function of its arguments. */
export function planBuild(seed: number, index: number): BuildPlan {
  const random = makeRandom(seed * 65_537 + index);
  // Numbers next to each other give generators that begin alike.
  random();
  const exitCode = random() < 0.6 ? 0 : 1 + Math.floor(random() * 125);
  const text = exitCode === 0 ? `drill ${index} passed` : `drill ${index} broke with ${exitCode}`;
  return {
    index,
    id: `${seed}-${index}`,
    server: GEARMAN_SERVER_KINDS[Math.floor(random() * GEARMAN_SERVER_KINDS.length)] as GearmanServerKind,
    job: DRILL_JOBS[Math.floor(random() * DRILL_JOBS.length)] as string,
    item: planItem(random(), seed, index),
    // Zuul's default, and enough that few builds are cut more often than that.
    attempts: random() < 0.4 ? 3 : 10,
    runSeconds: Math.round(1 + 39 * random() ** 1.5),
    exitCode,
    onTerm: (["exit-143", "exit-143", "ignore", "exit-0"] as const)[Math.floor(random() * 4)] ?? "exit-143",
    text,
    result: exitCode === 0 ? "SUCCESS" : text,
    cancelAfterMs: random() < 0.05 ? Math.round(between(random, 1000, 20_000)) : null,
  };
}

function planItem(dice: number, seed: number, index: number): ZuulItem {
  const digits = (length: number) => `${seed.toString(16)}c${index.toString(16)}`.padStart(length, "0");
  if (dice < 0.75) return { kind: "change", number: 1000 + index, ref: `Z${digits(32)}` };
  if (dice < 0.9) return { kind: "ref", refname: `refs/heads/drill-${index}`, oldrev: "0".repeat(40), newrev: digits(40) };
  return { kind: "timer" };
}
