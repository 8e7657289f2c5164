import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Job, Pod } from "../../src/core/kubernetes/objects.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const context = useTestCluster("datasets");
const WAIT_MS = 180_000;
const NAMES = ["one", "two", "three", "four", "five"];
/** Runs until the operator was killed, and says that it has begun where each run is counted: in the log. */
const SCRIPT = `sleep "$(cat "$TH_DATASET_DIR/seconds")"; [ "$TH_DATASET" != two ]`;

let gearman: GearmanServer;
let zuul: ZuulLauncher;
let operator: OperatorProcess;

const start = () =>
  startOperator({
    kubeconfig: context.cluster.kubeconfig,
    config: {
      ...{ installation: "datasets", namespaces: [context.namespace], image: context.image },
      gearman: { servers: [gearman.address] },
    },
  });

async function list<T>(kind: string): Promise<T[]> {
  return JSON.parse(await context.kubectl("--namespace", context.namespace, "get", kind, "-o", "json")).items;
}

describe("a build over five datasets on a real node", () => {
  before(async () => {
    gearman = await startGearmand();
    for (const [index, name] of NAMES.entries()) {
      // The first two have ended when the operator is killed, or are about to.
      await context.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { seconds: index < 2 ? "1" : "20" } });
    }
    const datasets = NAMES.map((name) => ({ name, configMap: { name } }));
    const spec = { image: context.image, script: SCRIPT, datasets };
    await context.apply({ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "migrate" }, spec });
    operator = await start();
    zuul = await startZuulLauncher({ server: gearman.address, patient: true });
  });

  after(async () => {
    await zuul?.stop();
    await operator?.stop();
    await gearman?.stop();
  });

  test("whose operator is killed in the middle has five verdicts in the end, each of one run, and goes with the first of its Jobs", async () => {
    const build = zuul.launch({ job: "migrate", attempts: 1 });
    const { number } = await build.started;
    await waitUntil("five pods that run or have", WAIT_MS, async () => {
      const pods = await list<Pod>("pods");
      return pods.length === NAMES.length && pods.every(({ status }) => status?.phase !== "Pending");
    });
    operator.child.kill("SIGKILL");
    await operator.child.exited;
    operator = await start();
    const { result } = await build.completed;
    assert.equal(result, "FAILURE (two, 1 of 5 datasets failed)");

    const jobs = await list<Job>("jobs");
    const results = jobs.map(({ metadata: { name, annotations } }) => [
      name,
      JSON.parse(annotations?.["turbo-hipster.io/verdict"] ?? "{}").result,
    ]);
    const expected = NAMES.map((name, index) => [`${number}-${index}`, name === "two" ? "FAILURE" : "SUCCESS"]);
    assert.deepEqual(Object.fromEntries(results), Object.fromEntries(expected));
    const runs = (await list<Pod>("pods")).map(({ status }) => status?.containerStatuses?.map(({ restartCount }) => restartCount));
    assert.deepEqual(
      runs,
      NAMES.map(() => [0]),
      "one pod each, and one run in it",
    );

    await context.kubectl("--namespace", context.namespace, "delete", "job", `${number}-0`);
    await waitUntil("nothing of the build", WAIT_MS, async () => (await list("jobs,pods")).length === 0);
  });
});
