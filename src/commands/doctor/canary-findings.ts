import type { TestTask } from "../../core/test-task/test-task.ts";
import type { SubmitEnd, SubmitEvent } from "../submit/submit-event.ts";
import { type Finding, failed, ok, unseen, warning } from "./finding.ts";

const CANARY = "canary build";
const IMAGE = "image";
const CHECKOUT = "zuul_url from a pod";
const HOW = "--canary TASK runs one build of that TestTask, which tells";

/** What a canary, and it alone, could tell. */
export function renderNoCanary(why = "no canary was asked for"): Finding[] {
  return [CANARY, IMAGE, CHECKOUT].map((what) => unseen(what, why, HOW));
}

/** There was to be one, and there can't. */
export function renderCanaryProblem(why: string): Finding[] {
  const [, ...others] = renderNoCanary("the canary could not be played");
  return [failed(CANARY, why, "name a TestTask with --canary, of those that kubectl get testtasks tells"), ...others];
}

/** The steps that the build has come to, in the names of `STEPS`. */
export function stepsOf(events: readonly SubmitEvent[]): ReadonlySet<string> {
  return new Set(events.flatMap((event) => (event.event === "step" && event.name !== null ? [event.name] : [])));
}

/** What the build's end and the steps before it tell. */
export function renderCanary(task: TestTask, key: string, events: readonly SubmitEvent[], end: SubmitEnd): Finding[] {
  const steps = stepsOf(events);
  return [renderEnd(key, end), renderImage(task, steps, end), renderCheckout(task, steps, end)];
}

function renderEnd(key: string, end: SubmitEnd): Finding {
  const build = `${key}${typeof end.number === "string" ? `, build ${end.number}` : ""}`;
  if (end.result === "SUCCESS") return ok(CANARY, `${build}: ${end.message}`);
  const page =
    typeof end.number === "string" ? `turbo-hipster explain ${end.number} tells why` : "turbo-hipster status tells who serves it";
  if (end.result === null) return failed(CANARY, `${build} has no result: ${end.message}`, page);
  return failed(CANARY, `${build}: ${end.message}`, page);
}

/** The test, or what comes before it, has run in the task's own image. */
function hasRun(steps: ReadonlySet<string>, end: SubmitEnd): boolean {
  return end.result === "SUCCESS" || steps.has("running");
}

function renderImage({ spec }: TestTask, steps: ReadonlySet<string>, end: SubmitEnd): Finding {
  const image = spec.image ?? "the template's images";
  if (hasRun(steps, end)) return ok(IMAGE, `${image} was pulled and started on a node`);
  if (/\bimage\b/i.test(end.message)) {
    return failed(IMAGE, end.message, "is its name right, and does the pod's ServiceAccount have imagePullSecrets for it?");
  }
  return unseen(IMAGE, "the canary did not come so far that its image was started");
}

function renderCheckout({ spec }: TestTask, steps: ReadonlySet<string>, end: SubmitEnd): Finding {
  if (!spec.checkout.enabled) return unseen(CHECKOUT, "the canary's TestTask checks nothing out", "name one with a checkout");
  if (hasRun(steps, end)) return ok(CHECKOUT, "the canary's checkout got what it asked for");
  if (!steps.has("preparing")) return unseen(CHECKOUT, "the canary did not come to its checkout");
  return warning(CHECKOUT, "the canary ended before or in its checkout", "its log says which URL, and why");
}
