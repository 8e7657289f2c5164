import { randomUUID } from "node:crypto";
import { carriedOut, type ManifestInput, type ManifestSettings } from "../../core/job/manifest.ts";
import { buildNumber, isUsableUnique, payloadHash, type RequestIdentity } from "../../core/job/name.ts";
import { answerOf, isLead, type JobRecord, makeJobRecord, type RequestRecord, readJobRecord } from "../../core/job/record.ts";
import { refuseBuild } from "../../core/job/refusal.ts";
import { changedParameters, isAnswer, relaunchKey } from "../../core/job/relaunch.ts";
import { PARAMETERS_ANNOTATION } from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { buildLimits } from "../../core/observation/build-limits.ts";
import { STEPS } from "../../core/observation/steps.ts";
import { type TestTask, testTaskKey } from "../../core/test-task/test-task.ts";
import type { RuleId } from "../../core/verdict/rules.ts";
import { configuration, notNeeded, renderResult, type Verdict } from "../../core/verdict/verdict.ts";
import type { Assignment } from "../../core/zuul/assignment.ts";
import { type BuildFunction, readBuildFunction } from "../../core/zuul/function-name.ts";
import { type Parameters, parseParameters, textParameter } from "../../core/zuul/parameters.ts";
import { renderFinalWorkData, renderWorkData, type WorkData, type WorkerIdentity } from "../../core/zuul/work-data.ts";
import { coerceError } from "../../runtime/errors.ts";
import { sha256Hex } from "../../runtime/sha256.ts";
import type { Build } from "../build-life/build.ts";
import type { BuildContext, BuildPlan } from "../build-life/build-context.ts";
import type { Tasks } from "../ports.ts";
import type { BuildIndex } from "./build-index.ts";
import type { EndedLately } from "./ended-lately.ts";
import { MemberPlans } from "./member-plans.ts";

export interface AdmissionSettings {
  manifest: ManifestSettings;
  worker: WorkerIdentity;
  /** Where people can look at a build. */
  buildUrl(number: string): string;
}

export interface AdmissionOptions {
  settings: AdmissionSettings;
  tasks: Tasks;
  context: BuildContext;
  index: BuildIndex<Build>;
  endedLately: EndedLately;
  /** Carries a build out. */
  begin(plan: BuildPlan): Build;
  /** Goes on with the build of a Job that is there. */
  adopt(job: Job, record: JobRecord): Build;
}

/** What gearmand makes has 63 bytes at most; anything longer is not worth being kept on a Job. */
const MAX_HANDLE = 128;
/** Names of parameters in one line of the log. */
const MAX_TOLD = 20;

/** What has no task becomes no Job. */
const REFUSED = { namespace: "", name: "refused" };

/** A request, read. */
interface Asked {
  assignment: Assignment;
  task: TestTask | undefined;
  parsed: ReturnType<typeof parseParameters>;
  function: BuildFunction;
  identity: RequestIdentity;
  /** As the Job of its build would say it. */
  request: RequestRecord;
}

/** What of its Job is not in the request as it came. */
type Chosen = Pick<ManifestInput, "dataset" | "member"> & { relaunchKey: string | undefined };

/**
 * Decides what becomes of a request: it belongs to a build that is under way, by its own identity or as Zuul's relaunch of it; it is refused; or
 * a new build begins. Says at once who has it and under which number, before anything that may be slow.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #memberPlans: MemberPlans;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#memberPlans = new MemberPlans({ cluster: options.context.cluster, settings: options.settings.manifest });
  }

  /** Resolves when nothing is left to do for the request itself; a build that has it is carried out by itself. May throw, before that. */
  admit(assignment: Assignment): Promise<unknown> {
    const { index, context } = this.#options;
    const asked = this.#read(assignment);
    const { task, parsed, identity, request } = asked;
    const known = index.ofRequest(identity, task?.metadata.namespace);
    if (known?.wasAnsweredBefore(request)) known.noteAnswered();
    if (known && !known.isDelivered) {
      context.logger.info({ build: known.number, server: identity.server }, "attaches a request to the build that is under way");
      known.attach(assignment, { ...request, number: known.number });
      return Promise.resolve();
    }
    if (!task) return this.#refuseUnserved(asked);
    if (!parsed.ok) return this.#answer(asked, configuration("bad-request", parsed.problem));
    const refusal = refuseBuild(task, parsed.parameters, this.#options.settings.manifest.keepsArtifacts ?? true);
    if (refusal?.rule === "dataset-not-needed") return this.#answer(asked, notNeeded(refusal.why));
    if (refusal) return this.#refuseFor(testTaskKey(task), asked, refusal);
    const key = relaunchKey(task, identity.functionName, parsed.parameters, sha256Hex);
    const earlier = key === undefined ? undefined : this.#findEarlier(key, identity, task.metadata.namespace);
    if (earlier) {
      const { server, unique } = identity;
      context.logger.info({ build: earlier.number, server, unique }, "attaches Zuul's relaunch to the build that it is of");
      index.addRequest(earlier, identity);
      earlier.attach(assignment, { ...request, number: earlier.number });
      return Promise.resolve();
    }
    const chosen = { relaunchKey: key, ...this.#memberPlans.choose(task, parsed.parameters, request, key) };
    const rendered = this.#memberPlans.render({ task, function: asked.function, parameters: parsed.parameters, request, ...chosen });
    if (!rendered.ok) return this.#refuseFor(testTaskKey(task), asked, { rule: "unrenderable", why: rendered.problem });
    const ended = key === undefined ? [] : index.ofLaunch(key).filter((build) => build.supersede());
    this.#options.begin({ ...this.#plan(asked, task, rendered.job, chosen), members: rendered.members });
    return Promise.all(ended.map((build) => this.#tellWhySuperseded(build, request.number, parsed.parameters)));
  }

  /** Names what keeps Zuul's relaunch from having the Job that runs: whoever wrote the parameter-function can change that. Never rejects. */
  async #tellWhySuperseded(build: Build, by: string, later: Parameters): Promise<void> {
    const { logger } = this.#options.context;
    const earlier = await this.#parametersOf(build);
    const parameters = earlier && changedParameters(earlier, later).slice(0, MAX_TOLD);
    const why =
      parameters?.length === 0
        ? "its TestTask was changed in between"
        : "parameters differ from one launch to the next; make them the same in Zuul's parameter-function";
    const message = "ends a build that Zuul has launched again: the relaunch cannot have its Job";
    logger.warn({ build: build.number, relaunch: by, ...(parameters ? { parameters } : {}), why }, message);
  }

  async #parametersOf(build: Build): Promise<Parameters | undefined> {
    const { cluster, logger } = this.#options.context;
    try {
      const read = async () => (await cluster.getJob(build.namespace, build.jobName))?.spec?.template.metadata?.annotations;
      const text = build.parametersText ?? (await read())?.[PARAMETERS_ANNOTATION];
      const parsed = text === undefined ? undefined : parseParameters(new TextEncoder().encode(text));
      return parsed?.ok ? parsed.parameters : undefined;
    } catch (error) {
      logger.warn({ err: coerceError(error), build: build.number }, "could not read the parameters of an earlier launch");
      return undefined;
    }
  }

  /** The plan for a Job that is there already. */
  planFound(job: Job, record: JobRecord, isAnswered: boolean): BuildPlan {
    const taskKey = `${record.namespace}/${record.task}`;
    const { number } = record.request;
    const common = this.#common(readBuildFunction(record.functionName), number, record.timeouts);
    const members = record.member && this.#memberPlans.found(record.member);
    return { taskKey, job, record, members, ...common, origin: { kind: "found", slot: this.#options.tasks.occupy(taskKey), isAnswered } };
  }

  #plan(asked: Asked, task: TestTask, job: Job, more: Chosen): BuildPlan {
    const { assignment, identity, request } = asked;
    const { functionName, server, unique } = identity;
    const { context } = this.#options;
    const record = makeJobRecord(carriedOut(task, this.#options.settings.manifest), { functionName, request, ...more });
    const taskKey = testTaskKey(task);
    context.logger.info({ build: request.number, function: functionName, server, unique, task: taskKey }, "accepts a build");
    const origin = { kind: "request", assignment } as const;
    return { taskKey, job, record, origin, ...this.#common(asked.function, request.number, task.spec.timeouts) };
  }

  #common({ jobName, nodeLabel }: BuildFunction, number: string, timeouts: JobRecord["timeouts"]) {
    const workData = this.#workData(jobName, number);
    return { limits: buildLimits(timeouts), workData, nodeLabels: nodeLabel === undefined ? [] : [nodeLabel] };
  }

  #workData(jobName: string, number: string): WorkData {
    const { buildUrl, worker } = this.#options.settings;
    return renderWorkData({ jobName, number, url: buildUrl(number) }, worker);
  }

  #read(assignment: Assignment): Asked {
    const { functionName, server, payload, payloadBytes } = assignment;
    const { tasks, context } = this.#options;
    const unique = isUsableUnique(assignment.unique) ? assignment.unique : randomUUID();
    const task = tasks.find(functionName);
    const identity = { server, functionName, unique, payloadHash: payloadHash(payload, sha256Hex) };
    const number = buildNumber(task?.metadata ?? REFUSED, identity, sha256Hex);
    const parsed = parseParameters(payload, payloadBytes);
    const logPath = (parsed.ok && textParameter(parsed.parameters, "LOG_PATH")) || null;
    const since = context.cluster.now().toISOString();
    const { name: replica } = context.replicas;
    const handle = assignment.handle.length <= MAX_HANDLE ? assignment.handle : null;
    const request = { server, unique, number, logPath, payloadHash: identity.payloadHash, handle, replica, since };
    return { assignment, task, parsed, function: readBuildFunction(functionName), identity, request };
  }

  /** A stored TestTask that newer rules refuse is told of by its name: whoever looks for it finds it there. */
  #refuseUnserved(asked: Asked): Promise<unknown> {
    const refusal = this.#options.tasks.refusalOf(asked.identity.functionName);
    if (refusal) return this.#refuseFor(refusal.taskKey, asked, { rule: "invalid-task", why: refusal.why });
    return this.#answer(asked, configuration("no-task", "no TestTask serves this job any more"));
  }

  /** For what whoever keeps the task is to hear of, too. */
  #refuseFor(taskKey: string, asked: Asked, { rule, why }: { rule: RuleId; why: string }): Promise<unknown> {
    const answered = this.#answer(asked, configuration(rule, why), taskKey);
    this.#options.tasks.noteRefusal(taskKey, `refuses a build of ${asked.function.jobName}: ${why}`);
    return answered;
  }

  /** Answers a request that becomes no Job. */
  #answer(
    { assignment, task, request, function: { jobName } }: Asked,
    verdict: Verdict,
    taskKey = task && testTaskKey(task),
  ): Promise<unknown> {
    const { logger, policy, counts } = this.#options.context;
    const { rule, message: text } = verdict;
    const fields = { build: request.number, task: taskKey, function: assignment.functionName, rule, text };
    if (verdict.class === "success") logger.info(fields, "answers a request without running anything");
    else logger.warn(fields, "refuses a request");
    counts.observer.noteVerdict(taskKey, verdict.class);
    const workData = this.#workData(jobName, request.number);
    assignment.sendData(JSON.stringify(workData));
    assignment.sendStatus(0, STEPS.length);
    const result = renderResult(verdict, policy.resultStyle);
    const json = JSON.stringify(renderFinalWorkData(workData, { result, node: undefined, nodeLabels: [] }));
    assignment.sendData(json);
    const answered = assignment.complete(json);
    assignment.slot.release();
    return answered;
  }

  /**
   * The build that a relaunch by Zuul with this key can be answered by. One whose answer the server has read is among them: Zuul does not
   * launch again what it has a result of, so the answer was lost between the server and Zuul. But a launch has a unique of its own: one that
   * uses the unique of a delivered build is none. A key is text on a Job: those of other namespaces than the task's are not heard.
   */
  #findEarlier(key: string, identity: RequestIdentity, namespace: string): Build | undefined {
    const { index, endedLately, adopt } = this.#options;
    const delivered = index.ofRequest(identity, namespace);
    // Of several the newest: its Job was only made because all before it were in vain.
    const running = index
      .ofRelaunchKey(key)
      .filter((build) => build !== delivered && build.namespace === namespace)
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    const adoptable = running.find((build) => build.isAdoptable);
    if (adoptable) return adoptable;
    for (const job of this.#jobsOf(key)) {
      const record = readJobRecord(job);
      if (
        !record ||
        !isLead(record) ||
        record.namespace !== namespace ||
        record.isCancelled ||
        record.request.unique === identity.unique ||
        index.ofNumber(record.request.number)
      )
        continue;
      // The watch may not have shown yet what was written down last. One without a verdict was left when this replica's role went, or is
      // another's: it may run still, or have an answer.
      const answer = answerOf(record);
      if (!(answer ? isAnswer(answer) : (endedLately.hadAnswer(job.metadata.uid) ?? true))) continue;
      const build = adopt(job, record);
      if (build.isAdoptable) return build;
    }
    return undefined;
  }

  /** The Jobs of this relaunch key, newest first. */
  #jobsOf(key: string): Job[] {
    const createdAt = (job: Job) => job.metadata.creationTimestamp ?? "";
    return this.#options.context.cluster
      .cachedJobsOf(key)
      .filter(({ metadata }) => !metadata.deletionTimestamp)
      .sort((a, b) => (createdAt(a) < createdAt(b) ? 1 : -1));
  }
}
