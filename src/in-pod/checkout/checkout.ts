import type { CheckoutPlan } from "../../core/checkout/plan.ts";
import { CheckoutError, type CheckoutProblem } from "../../core/checkout/problem.ts";
import { formatDuration } from "../../core/kubernetes/duration.ts";
import { coerceError } from "../../runtime/errors.ts";
import { TRIES } from "./fetch.ts";
import { type CheckedOut, checkOutProject, type ProjectOptions } from "./project-checkout.ts";
import { clearWorkspace } from "./workspace.ts";

interface CheckoutOptions extends Omit<ProjectOptions, "silenceMs" | "submodules"> {
  /** For everything, retries included. */
  timeoutMs: number;
  /** Aborting stops the checkout; what is half there stays, the next one starts afresh. */
  signal: AbortSignal;
}

type CheckoutOutcome = { kind: "done"; projects: CheckedOut[] } | { kind: "failed"; problem: CheckoutProblem } | { kind: "stopped" };

const LONGEST_SILENCE_MS = 120_000;

/** Carries out a plan, one project after another. Whatever was in their directories is gone first. Never rejects. */
export async function runCheckout(plan: CheckoutPlan, options: CheckoutOptions): Promise<CheckoutOutcome> {
  const deadline = new AbortController();
  const cancelDeadline = options.clock.schedule(options.timeoutMs, () => deadline.abort());
  const signal = AbortSignal.any([options.signal, deadline.signal]);
  const silenceMs = Math.min(LONGEST_SILENCE_MS, options.timeoutMs / (TRIES + 1));
  let host = "";
  try {
    const projects: CheckedOut[] = [];
    await clearWorkspace(
      options.workspace,
      plan.projects.map(({ project }) => project),
    );
    // A project may land in another's directory: the outer one comes first.
    for (const each of plan.projects.toSorted((a, b) => depth(a.project) - depth(b.project))) {
      host = each.candidates[0]?.source.host ?? "";
      projects.push(await checkOutProject(each, { ...options, signal, silenceMs, submodules: plan.submodules }));
    }
    for (const each of projects) await each.keep();
    if (options.signal.aborted) return { kind: "stopped" };
    const places = new Map(plan.projects.map(({ project }, index) => [project, index]));
    return { kind: "done", projects: projects.toSorted((a, b) => (places.get(a.project) ?? 0) - (places.get(b.project) ?? 0)) };
  } catch (thrown) {
    if (options.signal.aborted) return { kind: "stopped" };
    if (deadline.signal.aborted) {
      const message = `the checkout from ${host} was not done within ${formatDuration(options.timeoutMs)}`;
      return { kind: "failed", problem: { fault: "network", message } };
    }
    return { kind: "failed", problem: thrown instanceof CheckoutError ? thrown.problem : judgeFileError(coerceError(thrown)) };
  } finally {
    cancelDeadline();
  }
}

function depth(project: string): number {
  return project.split("/").length;
}

function judgeFileError(error: NodeJS.ErrnoException): CheckoutProblem {
  const isOurs = ["EACCES", "EPERM", "EROFS", "ENOENT", "ENOTDIR"].includes(error.code ?? "");
  return { fault: isOurs ? "configuration" : "network", message: `cannot prepare the workspace - ${error.message}` };
}
