import { JOBS, PODS, type Resource } from "../../../src/kube/client/resource.ts";
import { coerceError } from "../../../src/runtime/errors.ts";
import type { FakeKube } from "./fake-kube.ts";
import type { StoreChange } from "./fake-store.ts";
import { createPodFor, endPod, endTest, holdPod, restartService, startPod } from "./pod-steps.ts";
import type { StoredObject } from "./resource-rules.ts";

/** What becomes of one Job's pod. */
export interface PodScript {
  /** 0 by default. */
  readonly exitCode?: number;
  /** What the judged container leaves as its termination message, or as its result where it is a script. */
  readonly message?: string;
  /** Lines of the first container's log. */
  readonly log?: readonly string[];
  /** Lines of the first init container's log, a service that is started again: one list for each of its runs. */
  readonly serviceLogs?: readonly (readonly string[])[];
  /** The pod gets a node, but its containers wait for this reason, for ever. */
  readonly waiting?: { readonly reason: string; readonly message?: string };
  /** The pod stays Pending until then; for ever with a promise that never resolves. */
  readonly scheduled?: Promise<unknown>;
  /** The containers run until then. */
  readonly finished?: Promise<unknown>;
  /** Exit code when it is told to end (TERM); 143 by default. */
  readonly exitCodeOnTerm?: number;
  /** What takes no notice of TERM, so that the pod ends when it is deleted: the test, or the services once the test has ended. */
  readonly ignoresTerm?: "test" | "services";
}

export interface PlayedNode extends Disposable {
  /** What went wrong in the play itself; a test asserts that it is empty. */
  readonly failures: readonly Error[];
}

/**
 * Plays Job controller, scheduler, kubelet and garbage collector until disposed: every Job that is not suspended gets a pod that goes from
 * Pending over Running to its end, and its status follows. A running pod whose `activeDeadlineSeconds` is lowered ends as
 * Failed/DeadlineExceeded (one without `startTime` does not care, as with the real kubelet), a deleted pod ends and goes, a deleted Job
 * takes its pods with it, and the Jobs that it owns.
 */
export function playNode(fake: FakeKube, scriptOf: (job: StoredObject) => PodScript = () => ({})): PlayedNode {
  const failures: Error[] = [];
  const toldToEnd = new Map<string, (why: "deadline" | "delete") => void>();

  async function runPod(job: StoredObject): Promise<void> {
    const {
      scheduled,
      waiting,
      finished,
      log = [],
      serviceLogs = [],
      exitCode = 0,
      exitCodeOnTerm = 143,
      message,
      ignoresTerm,
    } = scriptOf(job);
    const { namespace = "", name } = createPodFor(fake, job).metadata;
    await scheduled;
    if (fake.find(PODS, namespace, name) === undefined) return;
    if (waiting !== undefined) {
      holdPod(fake, namespace, name, waiting);
      return;
    }
    startPod(fake, namespace, name);
    fake.logs.append(namespace, name, fake.get(PODS, namespace, name).spec.containers[0].name, log);
    for (const [run, lines] of serviceLogs.entries()) {
      const service = fake.get(PODS, namespace, name).spec.initContainers[0].name;
      if (run > 0) restartService(fake, namespace, name, service);
      fake.logs.append(namespace, name, service, lines);
    }
    const deleted = Promise.withResolvers<"delete">();
    const told = new Promise<"deadline" | "delete">((resolve) => {
      toldToEnd.set(`${namespace}/${name}`, (how) => {
        if (how === "delete") deleted.resolve(how);
        resolve(how);
      });
    });
    let why = await Promise.race([told, Promise.resolve(finished).then(() => "finished" as const)]);
    const isOverdue = why === "deadline";
    if (why === "deadline" && ignoresTerm === "test") why = await deleted.promise;
    if (why === "finished" && ignoresTerm === "services") {
      endTest(fake, namespace, name, exitCode);
      why = await deleted.promise;
    }
    toldToEnd.delete(`${namespace}/${name}`);
    if (fake.find(PODS, namespace, name) === undefined) return;
    const code = why === "finished" || ignoresTerm === "services" ? exitCode : exitCodeOnTerm;
    const said = hasRunner(job) ? `ended ${code}\n${message ?? ""}` : message;
    endPod(fake, namespace, name, {
      exitCode: code,
      deadlineExceeded: isOverdue,
      ...(said === undefined ? {} : { message: said }),
    });
    if (why === "delete") fake.remove(PODS, namespace, name);
  }

  function onChange({ rules, type, object, before }: StoreChange): void {
    const is = (resource: Resource) => rules.plural === resource.plural && rules.group === resource.group;
    if (is(JOBS) && type === "ADDED" && object.spec?.suspend !== true) later(() => runPod(object));
    if (is(JOBS) && type === "DELETED") later(async () => deleteDependentsOf(fake, object));
    if (!is(PODS) || type !== "MODIFIED") return;
    const end = toldToEnd.get(`${object.metadata.namespace}/${object.metadata.name}`);
    const isLowered = object.spec.activeDeadlineSeconds < (before?.spec.activeDeadlineSeconds ?? Number.POSITIVE_INFINITY);
    if (isLowered) end?.("deadline");
    if (object.metadata.deletionTimestamp !== undefined) end?.("delete");
  }

  /** Not within the write that it follows: controllers see it through their watches. */
  function later(work: () => Promise<void>): void {
    setImmediate(() => {
      work().catch((thrown: unknown) => failures.push(coerceError(thrown)));
    });
  }

  return { failures, [Symbol.dispose]: fake.subscribe(onChange) };
}

/** Its test is a script, whose runner says what it ended with (decision 16). */
function hasRunner({ metadata }: StoredObject): boolean {
  return JSON.parse(metadata.annotations?.["turbo-hipster.io/containers"] ?? "{}").marked === true;
}

function deleteDependentsOf(fake: FakeKube, job: StoredObject): void {
  const namespace = job.metadata.namespace ?? "";
  for (const resource of [PODS, JOBS]) {
    for (const { metadata } of fake.list(resource, namespace)) {
      if (metadata.ownerReferences?.some((owner) => owner.uid === job.metadata.uid)) fake.delete(resource, namespace, metadata.name);
    }
  }
}
