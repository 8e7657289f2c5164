import type { ServedPlaces } from "../../config.ts";
import { type NeededRight, rightQuestions } from "../../core/kubernetes/needed-rights.ts";
import type { KubeObject } from "../../core/kubernetes/objects.ts";
import { LEASE_MS, type Lease, versionOf } from "../../core/replicas/leadership.ts";
import { renderTestTaskCrd } from "../../core/test-task/crd.ts";
import { compareDefinitions } from "../../core/test-task/definition-difference.ts";
import { sortStoredTasks } from "../../core/test-task/invalid-task.ts";
import type { KubeClient } from "../../kube/client/kube-client.ts";
import { isNotFound } from "../../kube/client/kube-error.ts";
import { LEASES, TEST_TASKS } from "../../kube/client/resource.ts";
import { OwnRights } from "../../kube/objects/own-rights.ts";
import { readServedDefinition } from "../../kube/objects/served-definition.ts";
import { listAll } from "../../kube/watch/list-all.ts";
import type { Clock } from "../../runtime/clock.ts";
import { makeConcurrencyLimit } from "../../runtime/concurrency-limit.ts";
import { VERSION } from "../../version.ts";
import type { TestTasksSeen } from "../status/server-report.ts";
import { renderAccess, renderDefinition, renderHolder, renderRights, renderTasks } from "./cluster-findings.ts";
import { type Finding, failed, unseen } from "./finding.ts";
import { type DoctorWorld, look } from "./look.ts";

/** Questions to the API server at once. */
const MAX_QUESTIONS = 8;

interface ClusterOptions extends ServedPlaces {
  readonly client: KubeClient;
  readonly installation: string;
  readonly rights: readonly NeededRight[];
}

/** All that is to be had from the API server, and the TestTasks for those who look elsewhere. */
export async function lookAtCluster(options: ClusterOptions, world: DoctorWorld): Promise<{ findings: Finding[]; seen: TestTasksSeen }> {
  const { client } = options;
  const access = await look(
    world,
    async (signal) => [renderAccess(client.label, await new OwnRights(options).user(signal))],
    (why) => [
      failed("API server", why, "is it up, and reachable from here? --kubeconfig and --context name another; in a pod its ServiceAccount"),
    ],
  );
  if (access[0]?.state === "failed") return withoutCluster(access[0]);
  let seen: TestTasksSeen = { isKnown: false, why: "they could not be read" };
  const found = await Promise.all([
    look(
      world,
      (signal) => lookAtRights(options, signal),
      (why) => [unseen("rights", why)],
    ),
    look(
      world,
      (signal) => lookAtDefinition(client, signal),
      (why) => [unseen("TestTask definition", why)],
    ),
    look(
      world,
      async (signal) => {
        const objects = await readTestTasks(options, signal);
        seen = { isKnown: true, ...sortStoredTasks(objects) };
        return renderTasks(objects, options.namespaces);
      },
      (why) => [failed("TestTasks", why, "see the rights and the definition above")],
    ),
    look(
      world,
      (signal) => lookAtHolder(options, world.clock, signal),
      (why) => [unseen("replica that takes builds", why)],
    ),
  ]);
  return { findings: [...access, ...found.flat()], seen };
}

/** What is left to tell of a cluster whose API server was not reached; `access` tells why. */
export function withoutCluster(access: Finding): { findings: Finding[]; seen: TestTasksSeen } {
  const why = "the API server was not reached";
  const others = ["rights", "TestTask definition", "TestTasks", "replica that takes builds"].map((what) => unseen(what, why));
  return { findings: [access, ...others], seen: { isKnown: false, why } };
}

async function lookAtRights(options: ClusterOptions, signal: AbortSignal): Promise<Finding[]> {
  const own = new OwnRights(options);
  const limit = makeConcurrencyLimit(MAX_QUESTIONS);
  const ask = async (question: ReturnType<typeof rightQuestions>[number]) => {
    try {
      return { question, isAllowed: await own.isAllowed(question, signal) };
    } catch {
      // What one answer lacks is told as such; all of them lack it where the server is away.
      signal.throwIfAborted();
      return { question, isAllowed: undefined };
    }
  };
  const questions = rightQuestions(options.rights, options);
  return renderRights(await Promise.all(questions.map((question) => limit.run(() => ask(question)))));
}

async function lookAtDefinition(client: KubeClient, signal: AbortSignal): Promise<Finding[]> {
  const served = await readServedDefinition(client, signal);
  return [renderDefinition(served === undefined ? undefined : compareDefinitions(served, ownSchema()), VERSION)];
}

function ownSchema(): unknown {
  const { spec } = renderTestTaskCrd() as { spec: { versions: { schema: { openAPIV3Schema: unknown } }[] } };
  return spec.versions[0]?.schema.openAPIV3Schema;
}

async function readTestTasks({ client, namespaces }: ClusterOptions, signal: AbortSignal): Promise<KubeObject[]> {
  const objects: KubeObject[] = [];
  for (const namespace of namespaces ?? [undefined])
    objects.push(...(await listAll<KubeObject>(client, TEST_TASKS, namespace, { signal })).items);
  return objects.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** A holder renews every 2 s; one that has crashed stays in its Lease by name. */
const RENEWAL_CHECK_MS = 1_000;

async function lookAtHolder(options: ClusterOptions, clock: Clock, signal: AbortSignal): Promise<Finding[]> {
  const first = await readLease(options, signal);
  if (!first?.spec?.holderIdentity) return [renderHolder(first, false, options.installation)];
  for (let waitedMs = 0; waitedMs < LEASE_MS; waitedMs += RENEWAL_CHECK_MS) {
    await clock.sleep(RENEWAL_CHECK_MS, signal);
    const lease = await readLease(options, signal);
    if (lease === undefined || versionOf(lease) !== versionOf(first)) return [renderHolder(lease, true, options.installation)];
  }
  return [renderHolder(first, false, options.installation)];
}

async function readLease({ client, own, installation }: ClusterOptions, signal: AbortSignal): Promise<Lease | undefined> {
  try {
    return await client.get<Lease>(LEASES, own, installation, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
