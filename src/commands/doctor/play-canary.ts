import { randomUUID } from "node:crypto";
import { type TestTask, testTaskKey } from "../../core/test-task/test-task.ts";
import { coerceError, InputError } from "../../runtime/errors.ts";
import type { TestTasksSeen } from "../status/server-report.ts";
import { submitBuild } from "../submit/submit-build.ts";
import type { SubmitEvent } from "../submit/submit-event.ts";
import { makeSubmitRequest } from "../submit/submit-request.ts";
import { renderCanary, renderCanaryProblem, renderNoCanary } from "./canary-findings.ts";
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

/** Is Zuul for one build of the TestTask, which is stopped after `timeoutMs`. Rejects as `look` does. */
export async function playCanary(options: CanaryOptions, seen: TestTasksSeen, { clock, signal }: DoctorWorld): Promise<Finding[]> {
  if (!seen.isKnown) return renderNoCanary(`the TestTasks are unknown: ${seen.why}`);
  const named = seen.tasks.filter((task) => task.metadata.name === options.task || testTaskKey(task) === options.task);
  const [task] = named;
  if (task === undefined) return renderCanaryProblem(`there is no valid TestTask ${options.task} in the namespaces that are served`);
  if (named.length > 1) return renderCanaryProblem(`several TestTasks have the name ${options.task}: say NAMESPACE/NAME`);
  if (task.spec.suspend) return renderCanaryProblem(`TestTask ${options.task} is suspended: its build would wait`);
  const startedMs = clock.monotonicMs();
  const events: SubmitEvent[] = [];
  try {
    const end = await submitBuild(makeRequest(task, options), {
      clock,
      stop: signal,
      leave: new AbortController().signal,
      onEvent(event) {
        events.push(event);
        options.onEvent(event, clock.monotonicMs() - startedMs);
      },
    });
    signal.throwIfAborted();
    return renderCanary(task, testTaskKey(task), events, end);
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof InputError) throw thrown;
    return renderCanaryProblem(coerceError(thrown).message);
  }
}

function makeRequest({ spec }: TestTask, { server, project, zuulUrl, parameters, timeoutMs }: CanaryOptions) {
  const flags = {
    ...{ server, project, pipeline: spec.pipelines?.[0] ?? "check", param: parameters, timeout: timeoutMs },
    ...(zuulUrl === undefined ? {} : { zuulUrl }),
  };
  const uuid = randomUUID().replaceAll("-", "");
  return makeSubmitRequest(spec.jobs[0] ?? "", flags, undefined, { uuid, refName: `Z${uuid}` });
}
