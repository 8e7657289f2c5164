import { randomUUID } from "node:crypto";
import { submitBuild } from "../../src/commands/submit/submit-build.ts";
import type { SubmitEnd, SubmitEvent } from "../../src/commands/submit/submit-event.ts";
import { renderFunctionName } from "../../src/core/zuul/function-name.ts";
import { renderZuulParameters } from "../../src/core/zuul/launch-parameters.ts";
import { renderPythonJson } from "../../src/core/zuul/python-json.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { PlannedBuild } from "./demo-builds.ts";
import type { Screen } from "./screen.ts";

export interface FinishedBuild {
  plan: PlannedBuild;
  end: SubmitEnd;
  seconds: number;
}

export interface ZuulSurroundings {
  /** "host:port" of the Gearman server. */
  server: string;
  /** ZUUL_URL: where pods fetch changes. */
  zuulUrl: string;
  screen: Screen;
  /** Deletes the pod of the build of this number. */
  deletePod(number: string): Promise<void>;
  /** Aborts when the demo is to end. */
  leave: AbortSignal;
}

/** No build of the demo needs as long, even where images are pulled first. */
const BUILD_LIMIT_MS = 10 * 60_000;
const REDRAW_MS = 250;
const COUNTS_EVERY_MS = 1_000;

/** What each step means, for someone who sees it for the first time. */
const STEP_MEANINGS: Readonly<Record<string, string>> = {
  accepted: "the operator has taken it",
  created: "its Kubernetes Job is made",
  scheduled: "its pod has a node",
  preparing: "the change is checked out in the pod",
  running: "the test runs",
  ended: "the test has ended",
  done: "the result is on its way to Zuul",
};

/** Asks for one build and tells each of its steps. */
export async function followBuild(plan: PlannedBuild, surroundings: ZuulSurroundings): Promise<FinishedBuild> {
  const { screen } = surroundings;
  let lastStep = "";
  const finished = await askForBuild(plan, surroundings, (event) => {
    if (event.event === "submitted") screen.say(`submitted  ${event.function} of change ${plan.change.number},1`);
    if (event.event === "started") screen.say(`accepted   as build ${event.number}`);
    if (event.event === "stopping") screen.say("stopping   Zuul asks the operator to stop it");
    if (event.event !== "step" || event.name === null || event.name === lastStep) return;
    lastStep = event.name;
    if (event.name !== "accepted") screen.say(`${event.name.padEnd(9)}  ${STEP_MEANINGS[event.name] ?? ""}`);
  });
  if (!surroundings.leave.aborted) screen.say(describeResult(finished, screen));
  return finished;
}

/** Asks for all of them at once. In a terminal each has a row; elsewhere the lines tell how many are at which step, and each result. */
export async function followCrowd(plans: readonly PlannedBuild[], surroundings: ZuulSurroundings): Promise<FinishedBuild[]> {
  const { screen } = surroundings;
  const crowd = plans.map((plan) => ({
    plan,
    step: "waiting",
    startedMs: performance.now(),
    finished: undefined as FinishedBuild | undefined,
  }));
  const hasRows = screen.maxRows >= crowd.length;
  let lastCounts = { text: "", ms: Number.NEGATIVE_INFINITY };
  const tellCounts = () => {
    const text = countSteps(crowd.map(({ step }) => step));
    if (text === lastCounts.text || performance.now() - lastCounts.ms < COUNTS_EVERY_MS) return;
    lastCounts = { text, ms: performance.now() };
    screen.say(text);
  };
  const drawRows = () =>
    screen.setRows(
      crowd.map(({ plan, step, startedMs, finished }) => {
        const seconds = finished?.seconds ?? (performance.now() - startedMs) / 1000;
        const shown = finished?.end.result ?? finished?.end.message ?? step;
        return `${seconds.toFixed(1).padStart(7)} s  ${plan.jobName.padEnd(20)}  change ${`${plan.change.number},1`.padEnd(5)}  ${shown}`;
      }),
    );
  const redraw = hasRows ? setInterval(drawRows, REDRAW_MS) : undefined;
  try {
    return await Promise.all(
      crowd.map(async (member) => {
        const finished = await askForBuild(member.plan, surroundings, (event) => {
          if (event.event === "step" && event.name !== null && event.name !== "done") member.step = event.name;
          if (!hasRows) tellCounts();
        });
        member.step = "done";
        member.finished = finished;
        if (!hasRows && !surroundings.leave.aborted)
          screen.say(`${member.plan.jobName} of change ${member.plan.change.number},1 ${describeResult(finished, screen)}`);
        return finished;
      }),
    );
  } finally {
    clearInterval(redraw);
    if (hasRows) drawRows();
    screen.keepRows();
  }
}

/** "20 builds: 3 waiting, 12 preparing, 5 running", in the order of a build's life. */
function countSteps(steps: readonly string[]): string {
  const counted = ["waiting", ...Object.keys(STEP_MEANINGS)].flatMap((step) => {
    const count = steps.filter((other) => other === step).length;
    return count === 0 ? [] : [`${count} ${step}`];
  });
  return `${steps.length} builds: ${counted.join(", ")}`;
}

export function isAsExpected({ plan, end }: FinishedBuild): boolean {
  return end.result === plan.expected && (end.result !== null || end.reason === "retry");
}

/** The result as a reviewer, or whoever reads Zuul's log, gets to know it. */
export function resultOf({ result, reason, message }: SubmitEnd): string {
  if (result !== null) return result;
  return reason === "retry" ? "none, Zuul runs it again" : `none - ${message}`;
}

function describeResult(finished: FinishedBuild, screen: Screen): string {
  const { end, plan, seconds } = finished;
  const result = resultOf(end);
  if (isAsExpected(finished)) return `${screen.style("green", `-> ${result}`)} in ${seconds.toFixed(1)} s`;
  return `${screen.style("red", `-> ${result}`)} in ${seconds.toFixed(1)} s; expected was ${plan.expected ?? "none"}`;
}

/** Does for one build what Zuul's launcher does: asks for it with Zuul's parameters, and stops it when that is planned. */
async function askForBuild(
  plan: PlannedBuild,
  { server, zuulUrl, leave, deletePod }: ZuulSurroundings,
  onEvent: (event: SubmitEvent) => void,
): Promise<FinishedBuild> {
  const { jobName, change } = plan;
  const uuid = randomUUID().replaceAll("-", "");
  const parameters = renderZuulParameters({
    jobName,
    uuid,
    project: change.project,
    pipeline: "check",
    zuulUrl,
    isVoting: true,
    item: { kind: "change", branch: change.branch, number: `${change.number}`, patchset: "1", ref: change.ref, commit: change.commit },
  });
  const stop = new AbortController();
  let number = "";
  let deletion: Promise<void> | undefined;
  const startedMs = performance.now();
  const end = await submitBuild(
    {
      server,
      jobName,
      functionName: renderFunctionName(jobName),
      unique: uuid,
      payload: renderPythonJson(parameters),
      waitsForWorker: false,
      timeoutMs: BUILD_LIMIT_MS,
    },
    {
      clock: systemClock,
      stop: stop.signal,
      leave,
      onEvent(event) {
        onEvent(event);
        if (event.event === "started") number = String(event.number);
        if (plan.losesPod && event.event === "step" && event.name === "running") deletion ??= deletePod(number);
        if (plan.isStopped && event.event === "step" && event.name === "running") stop.abort();
      },
    },
  );
  await deletion;
  return { plan, end, seconds: (performance.now() - startedMs) / 1000 };
}
