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

/** How the canary was sent. */
export interface CanaryAsked {
  /** Its ZUUL_URL is given. */
  readonly hasZuulUrl: boolean;
  /** Its ZUUL_REF is: without one it is a timer's build, which asks the merger for nothing where there is a gitUrl. */
  readonly hasRef: boolean;
}

/** What the build's end and the steps before it tell. `key`: the TestTask's. */
export function renderCanary(task: TestTask, key: string, asked: CanaryAsked, events: readonly SubmitEvent[], end: SubmitEnd): Finding[] {
  const steps = stepsOf(events);
  return [renderEnd(key, end), renderImage(task, steps, end), renderCheckout(task, asked, steps, end)];
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

/** Results of a build whose test may never have begun; the text of any other is the test's own. */
function isOfStart({ result }: SubmitEnd): boolean {
  return result === null || result === "CONFIG_ERROR";
}

/** A short test ends before anybody has seen it run. */
function isUntold(steps: ReadonlySet<string>, end: SubmitEnd): boolean {
  return steps.has("ended") && !isOfStart(end);
}

const PAGE = "the canary ended before it was seen to run: its page tells";

function renderImage({ spec }: TestTask, steps: ReadonlySet<string>, end: SubmitEnd): Finding {
  const image = spec.image ?? "the template's images";
  if (hasRun(steps, end)) return ok(IMAGE, `${image} was pulled and started on a node`);
  if (isOfStart(end) && /\bimage\b/i.test(end.message)) {
    return failed(IMAGE, end.message, "is its name right, and does the pod's ServiceAccount have imagePullSecrets for it?");
  }
  if (isUntold(steps, end)) return unseen(IMAGE, PAGE);
  return unseen(IMAGE, "the canary did not come so far that its image was started");
}

function renderCheckout({ spec }: TestTask, asked: CanaryAsked, steps: ReadonlySet<string>, end: SubmitEnd): Finding {
  if (!spec.checkout.enabled) return unseen(CHECKOUT, "the canary's TestTask checks nothing out", "name one with a checkout");
  if (hasRun(steps, end)) return renderFetched(spec.checkout.gitUrl !== undefined, asked);
  if (isUntold(steps, end)) return unseen(CHECKOUT, PAGE);
  if (!steps.has("preparing")) return unseen(CHECKOUT, "the canary did not come to its checkout");
  return warning(CHECKOUT, "the canary ended before or in its checkout", "its log says which URL, and why");
}

/** The checkout went well; it has not touched zuul_url unless it had to. */
function renderFetched(hasGitUrl: boolean, { hasZuulUrl, hasRef }: CanaryAsked): Finding {
  if (!hasZuulUrl) return unseen(CHECKOUT, "the canary had none", "--zuul-url names it");
  if (hasGitUrl && !hasRef) {
    const says = "the canary fetched from its TestTask's gitUrl, as a timer's build does";
    return unseen(CHECKOUT, says, "--param ZUUL_REF=REF, one that Zuul's merger has, asks the merger");
  }
  return ok(CHECKOUT, "the canary's checkout got what it asked for");
}
