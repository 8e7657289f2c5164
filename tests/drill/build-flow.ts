import { systemClock } from "../../src/runtime/clock.ts";
import { coerceError } from "../../src/runtime/errors.ts";
import type { GearmanServerKind } from "../support/gearman/gearman-server.ts";
import type { ZuulBuild, ZuulLauncher } from "../support/zuul/zuul-launcher.ts";
import type { BuildEntry, DrillReport, LaunchRecord } from "./audit/drill-report.ts";
import { type BuildPlan, planBuild } from "./build-plan.ts";
import { drillParameters } from "./drill-tasks.ts";

interface BuildFlowOptions {
  seed: number;
  /** Index of the first build. */
  first: number;
  everyMs: number;
  /** Zuul launches no more while so many builds have no end: everything may be down for long. */
  most: number;
  launchers: ReadonlyMap<GearmanServerKind, ZuulLauncher>;
  report: DrillReport;
  nowMs(): number;
}

interface FlowingBuild {
  plan: BuildPlan;
  zuul: ZuulBuild;
  launchedAtMs: number;
  isCancelled: boolean;
  result: string | null;
}

/** Builds that Zuul launches, one after another at an even pace. */
export class BuildFlow {
  readonly #options: BuildFlowOptions;
  readonly #open = new Set<FlowingBuild>();
  readonly #waits = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  #launched = 0;

  constructor(options: BuildFlowOptions) {
    this.#options = options;
  }

  /** How many Zuul waits for. */
  get openCount(): number {
    return this.#open.size;
  }

  get launchedCount(): number {
    return this.#launched;
  }

  /** Launches builds until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { first, everyMs, most } = this.#options;
    for (let index = first; !signal.aborted; ) {
      if (this.#open.size < most) this.#launch(index++);
      await systemClock.sleep(everyMs, signal).catch(() => {});
    }
  }

  /** Writes builds without an end to the report and forgets them. */
  async end(): Promise<void> {
    this.#ending.abort();
    for (const build of this.#open) this.#report(build);
    this.#open.clear();
    await Promise.all(this.#waits);
  }

  #launch(index: number): void {
    const { seed, launchers, nowMs } = this.#options;
    const plan = planBuild(seed, index);
    const { server, job, item, attempts } = plan;
    const zuul = (launchers.get(server) as ZuulLauncher).launch({ job, item, attempts, params: drillParameters(plan) });
    this.#launched += 1;
    const build: FlowingBuild = { plan, zuul, launchedAtMs: nowMs(), isCancelled: false, result: null };
    this.#open.add(build);
    // Whatever ends this process, the report shows what was under way.
    this.#report(build);
    // Rejects when the launcher ends, which is after this flow has.
    void zuul.completed.then(
      ({ result }) => {
        build.result = result;
        if (this.#open.delete(build)) this.#report(build);
      },
      () => {},
    );
    if (plan.cancelAfterMs === null) return;
    const wait = this.#cancelLater(build, plan.cancelAfterMs).finally(() => this.#waits.delete(wait));
    this.#waits.add(wait);
  }

  async #cancelLater(build: FlowingBuild, afterMs: number): Promise<void> {
    try {
      await systemClock.sleep(afterMs, this.#ending.signal);
    } catch {
      return;
    }
    if (build.result !== null) return;
    build.isCancelled = true;
    build.zuul.cancel().catch((error) => console.error(coerceError(error).message));
  }

  #report({ plan, zuul, launchedAtMs, isCancelled, result }: FlowingBuild): void {
    const entry: BuildEntry = {
      ...{ type: "build", atMs: this.#options.nowMs(), plan, launchedAtMs, result },
      isCancelled: isCancelled && (result === "CANCELED" || result === null),
      launches: readLaunches(zuul),
    };
    this.#options.report.add(entry);
  }
}

function readLaunches({ events }: ZuulBuild): LaunchRecord[] {
  const launches = new Map<string, LaunchRecord>();
  for (const event of events) {
    if (event.event === "launched") {
      launches.set(event.uuid, { uuid: event.uuid, isSubmitted: event.isSubmitted, number: null, result: null, retry: null });
    } else if (event.event === "ended") {
      const launch = launches.get(event.uuid) ?? { uuid: event.uuid, isSubmitted: true, number: null, result: null, retry: null };
      launches.set(event.uuid, { ...launch, number: event.number, result: event.result, retry: event.retry });
    }
  }
  return [...launches.values()];
}
