import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { clusterPaths } from "../../deploy/local/cluster-paths.ts";
import { downCluster, findCluster, type LocalCluster, loadImage, upCluster } from "../../deploy/local/local-cluster.ts";
import { listClusterProcesses } from "../../deploy/local/node/cluster-node.ts";
import { PAUSE_IMAGE } from "../../deploy/local/node/cluster-programs.ts";
import { ensureImage } from "../../tools/image.ts";
import { findCgroup } from "../../tools/machine/cgroups.ts";
import { findPrerequisites } from "../../tools/machine/prerequisites.ts";
import { runCommand } from "../../tools/machine/run-command.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";

const CLUSTER = join(import.meta.dirname, "../../deploy/local/cluster.ts");
const NAMES = ["a", "b", "killed", "half"].map((name) => `e2e-${process.pid}-${name}`) as [string, string, string, string];
const POD_LIMIT_MS = 60_000;
const log = (line: string) => console.error(line);

/** Where this machine can't have clusters these tests are skipped, but never silently, and never under CI. */
const obstacle = await findPrerequisites(log).then(
  () => false as const,
  (error: Error) => error.message,
);
if (obstacle !== false) {
  if (process.env.CI === "true") throw new Error(obstacle);
  console.error(`SKIPPED: the local cluster's tests: ${obstacle}`);
}

/** Everything of a cluster that can be seen on this machine, by what kind of thing it is. */
async function findTraces(name: string): Promise<Record<string, string[]>> {
  const paths = clusterPaths(name);
  const holding = (text: string, word: string) => text.split("\n").filter((line) => line.includes(word));
  return {
    processes: listClusterProcesses(paths).map(({ pid, args }) => `${pid} ${args[0]}`),
    mounts: holding(readFileSync("/proc/self/mountinfo", "utf8"), paths.directory),
    interfaces: holding(await runCommand("ip", ["-oneline", "link", "show"]), paths.hostInterface),
    routes: holding(await runCommand("ip", ["route", "show"]), paths.hostInterface),
    rules: holding(await runCommand("nft", ["list", "tables"]), paths.nftTable),
    cgroups: findCgroup(paths.cgroup),
    files: [paths.directory, paths.lock].filter((file) => existsSync(file)),
  };
}

async function assertNothingLeft(name: string): Promise<void> {
  assert.deepEqual(await findTraces(name), { processes: [], mounts: [], interfaces: [], routes: [], rules: [], cgroups: [], files: [] });
}

function kubectl(cluster: LocalCluster, args: string[], input?: object): Promise<string> {
  const options = input === undefined ? {} : { input: JSON.stringify(input) };
  return runCommand(cluster.kubectl, ["--kubeconfig", cluster.kubeconfig, ...args], options);
}

async function createPod(cluster: LocalCluster, image: string, name: string, script: string): Promise<void> {
  const container = { name: "test", image, imagePullPolicy: "Never", command: ["node", "-e", script] };
  await kubectl(cluster, ["create", "-f", "-"], {
    ...{ apiVersion: "v1", kind: "Pod", metadata: { name } },
    spec: { restartPolicy: "Never", terminationGracePeriodSeconds: 0, containers: [container] },
  });
}

/** Waits for the end of a pod that succeeds and gives its log. */
async function finishPod(cluster: LocalCluster, name: string): Promise<string> {
  await kubectl(cluster, ["wait", `pod/${name}`, "--for=jsonpath={.status.phase}=Succeeded", `--timeout=${POD_LIMIT_MS / 1000}s`]);
  return kubectl(cluster, ["logs", name]);
}

/** Settings of the machine's kernel that a kubelet changes where it can. */
function readKernelSettings(): Record<string, string> {
  const names = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/hostname",
  ];
  return Object.fromEntries(names.map((name) => [name, readFileSync(`/proc/sys/${name}`, "utf8")]));
}

async function killEverything(name: string): Promise<void> {
  const processes = () => listClusterProcesses(clusterPaths(name));
  for (const { pid } of processes()) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      // Gone with its parent.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  await waitUntil("the end of what was killed", POD_LIMIT_MS, () => processes().length === 0);
}

describe("the local cluster", { skip: obstacle, concurrency: false }, () => {
  after(async () => {
    for (const name of NAMES) await downCluster({ name, log });
  });

  test("two clusters side by side each run a pod to its end, with its log, and know nothing of each other", async () => {
    const { archive, tag } = await ensureImage({ log });
    const settings = readKernelSettings();
    const clusters = await Promise.all(NAMES.slice(0, 2).map((name) => upCluster({ name, log })));
    for (const cluster of clusters) {
      assert.ok((await loadImage(cluster.name, archive)).length > 0);
      await createPod(cluster, tag, "greeter", `console.log("hello from " + ${JSON.stringify(cluster.name)})`);
    }
    for (const cluster of clusters) assert.equal(await finishPod(cluster, "greeter"), `hello from ${cluster.name}\n`);
    for (const cluster of clusters) {
      const nodes = await kubectl(cluster, ["get", "nodes", "-o", "name"]);
      assert.equal(nodes, `node/${cluster.name}\n`);
      assert.equal((await kubectl(cluster, ["get", "pods", "-A", "-o", "name"])).trim(), "pod/greeter");
    }
    assert.deepEqual(readKernelSettings(), settings);
    assert.notEqual(clusters[0]?.nodeAddress, clusters[1]?.nodeAddress);
  });

  test("a pod reaches the host and the API server by its service's name, and the host reaches the pod", async () => {
    const [name] = NAMES;
    const cluster = (await findCluster(name, log)) as LocalCluster;
    const { tag } = await ensureImage({ log });
    const server = createServer().listen(0, cluster.hostAddress);
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const arrived = once(server, "connection");
    await createPod(
      cluster,
      tag,
      "caller",
      `const net = require("node:net");
       net.connect(443, "kubernetes.default.svc", function () {
         console.log("reached the API server");
         this.destroy();
         const server = net.createServer(() => process.exit(0)).listen(8080, () => net.connect(${port}, "${cluster.hostAddress}"));
       });`,
    );
    const [socket] = (await arrived) as [Socket];
    socket.destroy();
    server.close();
    const address = await kubectl(cluster, ["get", "pod", "caller", "-o", "jsonpath={.status.podIP}"]);
    const back = connect(8080, address);
    await once(back, "connect");
    back.destroy();
    assert.equal(await finishPod(cluster, "caller"), "reached the API server\n");
  });

  test("up finds a cluster that is up, without touching it", async () => {
    const [name] = NAMES;
    const before = listClusterProcesses(clusterPaths(name)).map(({ pid }) => pid);
    const said: string[] = [];
    const cluster = await upCluster({ name, log: (line) => said.push(line) });
    assert.deepEqual(said, [`cluster ${name} is up already`]);
    assert.match(await kubectl(cluster, ["get", "pod", "greeter", "-o", "name"]), /greeter/);
    const pods = listClusterProcesses(clusterPaths(name)).map(({ pid }) => pid);
    assert.ok(before.every((pid) => pods.includes(pid)));
  });

  test("down leaves no process, mount, interface, route, rule, cgroup or file of a cluster, and the other one alone", async () => {
    const [name, other] = NAMES;
    const before = await findTraces(name);
    for (const kind of ["processes", "interfaces", "routes", "rules", "cgroups", "files"]) {
      assert.notEqual(before[kind]?.length, 0, `the test can't see the cluster's ${kind}`);
    }
    await downCluster({ name, log });
    await assertNothingLeft(name);
    await assert.doesNotReject(async () => kubectl((await findCluster(other, log)) as LocalCluster, ["get", "--raw", "/readyz"]));
    await downCluster({ name: other, log });
    await assertNothingLeft(other);
  });

  test("after kill -9 of everything the next up makes a cluster that runs pods, and the next down leaves nothing", async () => {
    const name = NAMES[2];
    const { archive, tag } = await ensureImage({ log });
    const first = await upCluster({ name, log });
    await kubectl(first, ["run", "sleeper", "--image", PAUSE_IMAGE, "--restart", "Never"]);
    await kubectl(first, ["wait", "pod/sleeper", "--for=condition=Ready", `--timeout=${POD_LIMIT_MS / 1000}s`]);
    await killEverything(name);

    const second = await upCluster({ name, log });
    await loadImage(name, archive);
    await createPod(second, tag, "greeter", `console.log("again")`);
    assert.equal(await finishPod(second, "greeter"), "again\n");
    assert.equal((await kubectl(second, ["get", "pods", "-o", "name"])).trim(), "pod/greeter");

    await killEverything(name);
    await downCluster({ name, log });
    await assertNothingLeft(name);
  });

  test("an up that was killed half-way is cleared up by the next down", async () => {
    const name = NAMES[3];
    const up = spawn(process.execPath, [CLUSTER, "up", "--name", name], { stdio: "ignore" });
    const ended = once(up, "exit");
    const running = () => listClusterProcesses(clusterPaths(name)).some(({ args }) => args[0]?.endsWith("/etcd"));
    await waitUntil("the first program of the cluster", POD_LIMIT_MS, running);
    up.kill("SIGKILL");
    await ended;
    assert.equal(running(), true);
    await downCluster({ name, log });
    await assertNothingLeft(name);
  });
});
