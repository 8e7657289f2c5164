import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { downCluster, type LocalCluster, loadImage, upCluster } from "../../../deploy/local/local-cluster.ts";
import { applyTestTaskDefinition } from "../../../deploy/local/test-task-definition.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import type { GivenCluster } from "./given-cluster.ts";
import { MADE_BY_TESTS_SELECTOR } from "./made-by-tests.ts";

/** Set by `npm test`, which keeps a cluster up for each file that runs at a time and has loaded the image. */
const SHARED = { cluster: clusterOfWorker(process.env), image: process.env.TH_TEST_IMAGE };
/** Set by `npm test -- --context`: somebody else's, for all files. */
const GIVEN: GivenCluster | undefined = process.env.TH_TEST_GIVEN_CLUSTER && JSON.parse(process.env.TH_TEST_GIVEN_CLUSTER);
/** Used, and taken down again, by a test file that is run by itself. */
const OWN_NAME = "test";

interface TestCluster {
  /** Of a cluster that somebody else made, only what GivenCluster has is there: files that use more are left out (left-out-files.ts). */
  cluster: LocalCluster;
  /** The image of this program, loaded into the cluster. */
  image: string;
  /** A namespace of this test file's own, with the CRD installed. */
  namespace: string;
  kubectl(...args: string[]): Promise<string>;
  /** Of releases in that namespace. */
  helm(...args: string[]): Promise<string>;
  /** A TestTask with this script, in that image; `more` is laid over its spec. */
  testTask(name: string, script: string, more?: object): object;
  /** Another namespace, for the test to delete; it does not outlive the run in a cluster that somebody else made. */
  makeNamespace(name: string): Promise<void>;
  /** `kubectl apply` of what is given. */
  apply(...objects: object[]): Promise<string>;
  /** The same in a namespace of the test's own making. */
  applyTo(namespace: string, ...objects: object[]): Promise<string>;
}

/**
 * A real cluster for the tests of a file, in a namespace of its own that is deleted afterwards; call it at the top level of the file or
 * of a `describe`. The object's fields are there when the first test runs.
 */
export function useTestCluster(prefix: string): TestCluster {
  const context = {} as TestCluster;
  const log = (line: string) => console.error(line);
  let directory: string | undefined;

  before(async () => {
    if (GIVEN) Object.assign(context, { cluster: GIVEN, image: GIVEN.image });
    else {
      context.cluster = await upCluster({ name: SHARED.cluster ?? OWN_NAME, log });
      context.image = SHARED.image ?? (await loadOwnImage(context.cluster.name, log));
    }
    directory = await mkdtemp(join(tmpdir(), "th-test-"));
    const applied = join(directory, "objects.json");
    context.namespace = `${prefix}-${process.pid.toString(36)}${Date.now().toString(36).slice(-4)}`;
    context.kubectl = (...args) => runCommand(context.cluster.kubectl, ["--kubeconfig", context.cluster.kubeconfig, ...args]);
    context.helm = (...args) =>
      runCommand(context.cluster.helm, [...args, "--namespace", context.namespace, "--kubeconfig", context.cluster.kubeconfig]);
    context.testTask = (name, script, more = {}) => {
      const spec = { image: context.image, script, timeouts: { run: "2m", collect: "1m" }, ...more };
      return { apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name }, spec };
    };
    context.applyTo = async (namespace, ...objects) => {
      await writeFile(applied, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
      return context.kubectl("apply", "--namespace", namespace, "-f", applied);
    };
    context.makeNamespace = async (name) => {
      await context.kubectl("create", "namespace", name);
      await context.kubectl("label", "namespace", name, MADE_BY_TESTS_SELECTOR);
    };
    context.apply = (...objects) => context.applyTo(context.namespace, ...objects);
    await applyTestTaskDefinition(context.kubectl);
    await context.makeNamespace(context.namespace);
  });

  after(async () => {
    if (directory) await rm(directory, { recursive: true, force: true });
    if (!context.namespace) return;
    if (GIVEN || SHARED.cluster) await context.kubectl("delete", "namespace", context.namespace, "--wait=false");
    else await downCluster({ name: OWN_NAME, log });
  });
  return context;
}

/** Node's test runner numbers its workers from 1 (https://nodejs.org/api/test.html, NODE_TEST_WORKER_ID): no two files that run have one. */
function clusterOfWorker({ TH_TEST_CLUSTERS, NODE_TEST_WORKER_ID }: NodeJS.ProcessEnv): string | undefined {
  if (TH_TEST_CLUSTERS === undefined) return undefined;
  const cluster = TH_TEST_CLUSTERS.split(",")[Number(NODE_TEST_WORKER_ID) - 1];
  if (cluster === undefined) throw new Error(`no cluster for the worker ${NODE_TEST_WORKER_ID} among ${TH_TEST_CLUSTERS}`);
  return cluster;
}

async function loadOwnImage(cluster: string, log: (line: string) => void): Promise<string> {
  const { ensureImage } = await import("../../../tools/image.ts");
  const { archive, tag } = await ensureImage({ log });
  await loadImage(cluster, archive);
  return tag;
}
