import { randomUUID } from "node:crypto";
import { decideServedFunctions } from "../../core/test-task/served-functions.ts";
import { type TestTask, testTaskKey } from "../../core/test-task/test-task.ts";
import { coerceError, InputError } from "../../runtime/errors.ts";
import type { TestTasksSeen } from "../status/server-report.ts";
import { submitBuild } from "../submit/submit-build.ts";
import type { SubmitEvent } from "../submit/submit-event.ts";
import { makeSubmitRequest } from "../submit/submit-request.ts";
import { type CanaryAsked, renderCanary, renderCanaryProblem, renderNoCanary } from "./canary-findings.ts";
import type { Finding } from "./finding.ts";
import type { DoctorWorld } from "./look.ts";

export interface CanaryOptions {
  /** `name` or `namespace/name` of a TestTask. */
  readonly task: string;
  readonly server: string;
  readonly project: string;
  readonly zuulUrl: string | undefined;
  /** NAME=VALUE, laid over the other parameters. */
  readonly parameters: readonly string[];
  readonly timeoutMs: number;
  onEvent(event: SubmitEvent, elapsedMs: number): void;
}

export interface CanaryWorld extends DoctorWorld {
  /** Aborts when nobody wants to wait for the end of the build that `signal` has stopped. */
  readonly leave: AbortSignal;
}

/** Is Zuul for one build of the TestTask, which is stopped after `timeoutMs`. Rejects as `look` does. */
export async function playCanary(options: CanaryOptions, seen: TestTasksSeen, { clock, signal, leave }: CanaryWorld): Promise<Finding[]> {
  if (!seen.isKnown) return renderNoCanary(`the TestTasks are unknown: ${seen.why}`);
  const named = seen.tasks.filter((task) => task.metadata.name === options.task || testTaskKey(task) === options.task);
  const [task] = named;
  if (task === undefined) return renderCanaryProblem(`there is no valid TestTask ${options.task} in the namespaces that are served`);
  if (named.length > 1) return renderCanaryProblem(`several TestTasks have the name ${options.task}: say NAMESPACE/NAME`);
  if (task.spec.suspend) return renderCanaryProblem(`TestTask ${options.task} is suspended: its build would wait`);
  const key = testTaskKey(task);
  const { byFunction, byTask } = decideServedFunctions(seen.tasks, seen.invalid);
  const [served] = (byTask.get(key)?.functions ?? []).flatMap((name) => byFunction.get(name) ?? []);
  if (served === undefined) return renderCanaryProblem(`TestTask ${options.task} has no function of its own: others hold all of its jobs`);
  const startedMs = clock.monotonicMs();
  const events: SubmitEvent[] = [];
  try {
    const end = await submitBuild(makeRequest(task, served, options), {
      clock,
      stop: signal,
      leave,
      onEvent(event) {
        events.push(event);
        options.onEvent(event, clock.monotonicMs() - startedMs);
      },
    });
    signal.throwIfAborted();
    return renderCanary(task, key, askedOf(options), events, end);
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof InputError) throw thrown;
    return renderCanaryProblem(coerceError(thrown).message);
  }
}

function askedOf({ zuulUrl, parameters }: CanaryOptions): CanaryAsked {
  const has = (name: string) => parameters.some((each) => each.startsWith(`${name}=`));
  return { hasZuulUrl: zuulUrl !== undefined || has("ZUUL_URL"), hasRef: has("ZUUL_REF") };
}

function makeRequest(
  { spec }: TestTask,
  { job, nodeLabel }: { job: string; nodeLabel?: string },
  { server, project, zuulUrl, parameters, timeoutMs }: CanaryOptions,
) {
  const flags = {
    ...{ server, project, pipeline: spec.pipelines?.[0] ?? "check", param: parameters, timeout: timeoutMs },
    ...(zuulUrl === undefined ? {} : { zuulUrl }),
    ...(nodeLabel === undefined ? {} : { node: nodeLabel }),
  };
  const uuid = randomUUID().replaceAll("-", "");
  return makeSubmitRequest(job, flags, undefined, { uuid, refName: `Z${uuid}` });
}
