import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type BuildState, observeBuild, suspendedAfterStart } from "../../../../src/core/observation/build-state.ts";
import { eventsWanted, observeTrouble, type WaitingTrouble } from "../../../../src/core/observation/waiting-trouble.ts";
import { type BuildFacts, decideBuild, mustEndPod } from "../../../../src/core/verdict/build-decision.ts";
import { VERDICT_RULES } from "../../../../src/core/verdict/rules.ts";
import type { EndRequest } from "../../../../src/core/verdict/sighting.ts";
import type { Verdict } from "../../../../src/core/verdict/verdict.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";
import { observe } from "../../../support/objects/build-objects.ts";
import { type HistoryPlan, historyPlans } from "../../../support/objects/history-plan.ts";
import { MOMENTS, type Shown } from "../../../support/objects/pod-histories.ts";
import { PodWorld, PULL_LIMIT_MS, RUN_LIMIT_MS, WORLD_START } from "../../../support/objects/pod-world.ts";

const LIMITS = {
  podMs: 600_000,
  scheduleMs: 3_600_000,
  pullMs: PULL_LIMIT_MS,
  checkoutMs: 600_000,
  collectMs: 600_000,
  runMs: RUN_LIMIT_MS,
  run: "1h",
};
const RULES = new Set<string>(VERDICT_RULES.map(({ id }) => id));
const DAY_MS = 24 * 3_600_000;

/** Whoever follows a build: what one process remembers of it. */
class Follower {
  readonly #world: PodWorld;
  #state: BuildState = { kind: "absent" };
  #since: Date;
  #trouble: { trouble: WaitingTrouble; since: Date } | undefined;
  #ending: EndRequest | undefined;
  #endingSince: Date | undefined;
  readonly #isFirst: boolean;

  constructor(world: PodWorld, isFirst: boolean) {
    this.#world = world;
    this.#since = new Date(world.nowMs);
    this.#isFirst = isFirst;
  }

  /** One look, and what follows from it. Returns the verdict, or when to look again at the latest; undefined: not before something happens. */
  look(): { verdict: Verdict; state: BuildState; deletesJob: boolean } | { inMs: number | undefined } {
    const { nowMs, roles, isStopped } = this.#world;
    const now = new Date(nowMs);
    const { job, pods, killOf, events } = this.#world.show();
    const observed = observeBuild(job, pods, roles, killOf);
    const pod = "pod" in this.#state ? this.#state.pod : undefined;
    const gone = { isDeleted: true, isSuspended: false };
    const state: BuildState = observed.kind === "absent" ? { kind: "lost", pod, job: gone, reason: "the Job was deleted" } : observed;
    if (state.kind !== this.#state.kind) {
      const isFound = !this.#isFirst && this.#state.kind === "absent" && state.kind === "running" && state.startedAt;
      this.#since = isFound ? new Date(isFound) : now;
    }
    this.#state = state;
    this.#endingSince = "pod" in state && state.pod?.isEnding ? (this.#endingSince ?? now) : undefined;
    const wanted = eventsWanted(state);
    const trouble = observeTrouble(state, wanted ? events : []);
    if (trouble?.key !== this.#trouble?.trouble.key) this.#trouble = trouble && { trouble, since: now };
    const facts: BuildFacts = {
      ...{ state, since: this.#since, trouble: this.#trouble, ending: this.#ending, endingSince: this.#endingSince, limits: LIMITS },
      withdrawn: isStopped ? "stop" : undefined,
    };
    const action = decideBuild(facts, now);
    assert.deepEqual(decideBuild(facts, now), action, "the same sight is judged the same twice");
    if (action.kind === "finish") return { verdict: action.verdict, state, deletesJob: action.deleteJob };
    if (action.kind === "wait") return { inMs: action.recheckInMs };
    this.#ending = action.end;
    this.#world.endPod();
    return { inMs: 30_000 };
  }
}

interface Told {
  verdict: Verdict;
  atMs: number;
  /** Nobody had ended the test, or told its node to. */
  wasRunning: boolean;
}

/** Lets a history happen before a follower; what it says of it, and when. */
function play(world: PodWorld): Told | undefined {
  let follower = new Follower(world, true);
  let wasUnwatched = false;
  for (let looks = 0; looks < 2000 && world.nowMs < WORLD_START + 3 * DAY_MS; looks += 1) {
    if (world.isUnwatched) wasUnwatched = true;
    else if (wasUnwatched) {
      follower = new Follower(world, false);
      wasUnwatched = false;
    }
    const seen = world.isUnwatched ? { inMs: undefined } : follower.look();
    if ("verdict" in seen) {
      const wasRunning = world.isTestRunning;
      if (seen.deletesJob) world.deleteJob();
      else if (mustEndPod(seen.state)) world.endPod();
      return { verdict: seen.verdict, atMs: world.nowMs, wasRunning };
    }
    const { nextMs } = world;
    const recheckMs = seen.inMs === undefined ? undefined : world.nowMs + seen.inMs;
    const times = [nextMs, recheckMs].filter((each) => each !== undefined);
    if (times.length === 0) return undefined;
    world.passTo(Math.min(...times));
  }
  return undefined;
}

function tell(plan: HistoryPlan, world: PodWorld, told: Told | undefined): string {
  return `${told ? `${told.verdict.class} ${told.verdict.rule}: ${told.verdict.message}` : "nothing was said"}; ended by ${world.who}, allowed: ${world.allowed}\n${JSON.stringify(plan)}`;
}

describe("10,000 histories of a pod, whose cluster knows who ended it", () => {
  test("are judged as that, never as SUCCESS but where the test itself ended with 0, and nothing of their pods runs on", (t) => {
    const rules = new Set<string>();
    const parameters = fuzzParameters(t, 10_000);
    fc.assert(
      fc.property(historyPlans, (plan) => {
        const world = new PodWorld(plan);
        const told = play(world);
        assert.ok(told, tell(plan, world, told));
        const { verdict } = told;
        rules.add(verdict.rule);
        assert.ok(RULES.has(verdict.rule));
        assert.equal(verdict.result === "SUCCESS", verdict.class === "success", tell(plan, world, told));
        assert.equal(verdict.result === null, verdict.class === "infrastructure", tell(plan, world, told));
        assert.ok(world.allowed.includes(verdict.class), tell(plan, world, told));
        const isOrphaned = plan.disturbances.some(({ kind }) => kind === "job-orphaned");
        assert.ok(!told.wasRunning || isOrphaned, `its test ran on: ${tell(plan, world, told)}`);
        world.passTo(told.atMs + 60_000);
        assert.ok(world.isLetGo, `its pod was left running: ${tell(plan, world, told)}`);
      }),
      parameters,
    );
    if ((parameters.numRuns ?? 0) < 10_000) return;
    for (const rule of [
      "exit-0",
      "exit-code",
      "stopped",
      "run-timeout",
      "run-again",
      "injected-failed",
      "pod-lost",
      "cut-off",
      "pull-timeout",
      "sandbox-lost",
    ]) {
      assert.ok(rules.has(rule), `no history ended as ${rule}`);
    }
  });
});

function factsOf(shown: Shown, withdrawn: BuildFacts["withdrawn"], sinceMs: number): BuildFacts {
  const observed = observe(shown.job, shown.pods, shown.kill);
  const state = observed.kind === "absent" ? suspendedAfterStart(undefined) : observed;
  const trouble = observeTrouble(state, shown.events ?? []);
  const since = new Date(sinceMs);
  return { state, withdrawn, since, endingSince: since, trouble: trouble && { trouble, since }, limits: LIMITS };
}

describe("whatever is seen of a build", () => {
  for (const withdrawn of [undefined, "stop", "unclaimed"] as const) {
    test(`it is judged, or its pod ended, within a day${withdrawn ? `, asked for ${withdrawn}` : ""}`, () => {
      for (const shown of MOMENTS) {
        const facts = factsOf(shown, withdrawn, WORLD_START);
        const action = decideBuild(facts, new Date(WORLD_START + DAY_MS));
        const waits = facts.state.kind === "suspended" || facts.trouble?.trouble.rule === "quota-full";
        if (action.kind !== "wait") continue;
        assert.ok(waits && !withdrawn, `${shown.name} waits after a day`);
      }
    });
  }
});
