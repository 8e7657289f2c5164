import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseBuildFile } from "../../src/core/logs/build-file.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { findFreePort } from "../support/free-port.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const context = useTestCluster("checks");
const WAIT_MS = 180_000;
const STEPS = {
  name: "migrations",
  message: "WARNING - Migration {step} took too long",
  steps: { start: "^Running upgrade (\\d+) -> (\\d+)", end: "^upgraded", key: "{1}->{2}", limit: "2s" },
};
const upgrade = (from: number, seconds: number) => `echo "Running upgrade ${from} -> ${from + 1}"; sleep ${seconds}; echo upgraded`;

let directory: string;
let gearman: GearmanServer;
let zuul: ZuulLauncher;
let operator: OperatorProcess;
let config: object;

async function applyTask(name: string, spec: object): Promise<void> {
  await context.apply({
    ...{ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name }, spec: { image: context.image, ...spec } },
  });
}

function lastLines({ lines }: OperatorProcess): string {
  return lines
    .slice(-200)
    .map((line) => JSON.stringify(line))
    .join("\n");
}

async function storedFile(folder: string) {
  let text = "";
  await waitUntil(`build.json of ${folder}`, WAIT_MS, async () => {
    text = await readFile(join(directory, folder, "build.json"), "utf8").catch(() => "");
    return text !== "";
  });
  return parseBuildFile(text);
}

describe("checks on the real kubelet", () => {
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "th-checks-"));
    gearman = await startGearmand();
    zuul = await startZuulLauncher({ server: gearman.address, patient: true });
    const internal = `${context.cluster.hostAddress}:${await findFreePort(context.cluster.hostAddress)}`;
    config = {
      ...{ installation: "checks", namespaces: [context.namespace], image: context.image, gearman: { servers: [gearman.address] } },
      logs: { store: "files", directory },
      http: { public: `127.0.0.1:${await findFreePort("127.0.0.1")}`, internal },
      internalUrl: `http://${internal}`,
    };
    operator = await startOperator({ kubeconfig: context.cluster.kubeconfig, config });
  });

  after(async () => {
    await operator?.stop();
    await zuul?.stop();
    await gearman?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  test("time steps by when the kubelet has read their lines, and say which took too long", async () => {
    await applyTask("slow", { script: [upgrade(204, 0), upgrade(205, 4)].join("\n"), checks: [STEPS] });
    const build = zuul.launch({ job: "slow", attempts: 1, params: { LOG_PATH: "slow" } });
    const { result } = await build.completed;
    assert.equal(result, "WARNING - Migration 205->206 took too long", `${result}\n${lastLines(operator)}`);
    const steps = (await storedFile("slow"))?.checks?.[0]?.steps;
    const seconds = steps?.[1]?.seconds ?? 0;
    assert.deepEqual(
      steps?.map(({ name, line }) => [name, line]),
      [
        ["204->205", 1],
        ["205->206", 3],
      ],
    );
    assert.ok(seconds > 3.9 && seconds < 60, `${seconds}`);
  });

  test("pass a test whose log and artifacts are as they want them, by an operator that was killed meanwhile", async () => {
    await applyTask("right", {
      script: `${upgrade(1, 0)}; echo '{"ms": 12}' > "$TH_ARTIFACTS_DIR/perf.json"; sleep 3`,
      artifacts: { paths: ["results/"] },
      checks: [STEPS, { name: "fast", values: { artifact: "perf.json", path: "ms", max: 20 } }],
    });
    const build = zuul.launch({ job: "right", attempts: 1, params: { LOG_PATH: "right" } });
    const { number } = await build.started;
    await waitUntil("its pod", WAIT_MS, async () =>
      (await context.kubectl("get", "pods", "--namespace", context.namespace, "--selector", `job-name=${number}`)).includes("Running"),
    );
    const killed = operator;
    killed.child.kill("SIGKILL");
    await killed.child.exited;
    operator = await startOperator({ kubeconfig: context.cluster.kubeconfig, config });
    const { result } = await build.completed;
    assert.equal(result, "SUCCESS", `${result}\n${lastLines(killed)}\n${lastLines(operator)}`);
    assert.deepEqual(
      (await storedFile("right"))?.checks?.map(({ name, outcome }) => [name, outcome]),
      [
        ["migrations", "passed"],
        ["fast", "passed"],
      ],
    );
  });
});
