import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { clusterPaths } from "../../deploy/local/cluster-paths.ts";
import { LogSpool } from "../../src/logs/follow/log-spool.ts";
import { type Child, startChild } from "../support/child-process.ts";
import { waitForCluster } from "../support/cluster/node-program.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { findTestKubelet } from "../support/cluster/test-kubelet.ts";
import { filesOnNode, PRINTED_LINE, PrintedLines, printedLine } from "../support/logs/printed-lines.ts";
import { readAll } from "../support/logs/spools.ts";
import { startTcpProxy, type TcpProxy } from "../support/proxies/tcp-proxy.ts";

const FOLLOW = fileURLToPath(new URL("../support/logs/follow-process.ts", import.meta.url));
const LIMIT = 2 ** 30;
const LINE_BYTES = 100;
const BURST_LINES = 1_000_000;
const ROTATED_LINES = 400_000;
const SLOW_LINES = 60_000;

const world = useTestCluster("following");

describe("a log on the real kubelet", () => {
  let directory: string;
  let proxy: TcpProxy;
  let kubeconfig: string;
  let restore: (() => Promise<void>) | undefined;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "th-following-"));
    const config = parse(await readFile(world.cluster.kubeconfig, "utf8"));
    const server = new URL(config.clusters[0].cluster.server);
    proxy = await startTcpProxy({ host: server.hostname, port: Number(server.port) });
    // The certificate names 127.0.0.1 as well.
    config.clusters[0].cluster.server = `https://${proxy.address}`;
    kubeconfig = join(directory, "kubeconfig");
    await writeFile(kubeconfig, stringify(config));
  });

  after(async () => {
    await restore?.();
    await proxy?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  async function createPod(name: string, script: string): Promise<void> {
    const container = { name: "test", image: world.image, imagePullPolicy: "Never", command: ["perl", "-e", script] };
    const spec = { restartPolicy: "Never", terminationGracePeriodSeconds: 0, containers: [container] };
    await world.apply({ apiVersion: "v1", kind: "Pod", metadata: { name }, spec });
  }

  async function rotateOften(): Promise<void> {
    const { name } = world.cluster;
    // Those that were rotated stay, for `judge`: nobody reads them through the API.
    restore ??= await findTestKubelet(name).reconfigure({
      ...{ containerLogMaxSize: "256Ki", containerLogMaxFiles: 1000, containerLogMonitorInterval: "3s" },
    });
    await waitForCluster(name);
  }

  /** A process that follows it, and when its spool holds so many bytes. */
  async function startFollower(pod: string, spool = pod): Promise<{ child: Child; said: string[]; reached(size: number): Promise<void> }> {
    let size = 0;
    const said: string[] = [];
    const waiters = new Set<() => void>();
    const child = await startChild({
      command: process.execPath,
      args: [FOLLOW, kubeconfig, world.namespace, pod, "test", join(directory, spool), `${LIMIT}`],
      onLine: (line) => {
        if (!line.startsWith("size ")) {
          if (!line.includes('"size"')) said.push(line);
          return;
        }
        size = Number(line.slice(5));
        for (const look of [...waiters]) look();
      },
    });
    const reached = (wanted: number) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = () => {
        if (size < wanted && !child.hasExited) return;
        waiters.delete(look);
        if (size >= wanted) resolve();
        else reject(new Error(`the follower ended with ${size} of ${wanted} bytes: ${child.log()}`));
      };
      waiters.add(look);
      void child.exited.then(look);
      look();
      return promise;
    };
    return { child, said, reached };
  }

  /**
   * All that was printed, in order and nothing twice. Only where there is a hole may lines be missing: a hole is found a moment later than the
   * place where it is, so they are counted. And, though no hole tells, what the runtime wrote last to a file that was rotated: the kubelet
   * leaves that out where it has gone on to the next one. Resolves to how much is missing.
   */
  async function judge(pod: string, lines: number): Promise<string> {
    const spool = await LogSpool.open(join(directory, pod), { limitBytes: LIMIT });
    assert.equal(spool.isEnded, true);
    const holes = spool.holes.length;
    const printed = new PrintedLines();
    for (let at = 0; at < spool.size; ) {
      const { bytes } = await spool.read(at, 2 ** 20);
      at += bytes.length;
      printed.take(bytes.toString());
    }
    printed.end(lines);
    const missing = lines * LINE_BYTES - spool.size;
    await spool.close();
    const { gaps } = printed;
    const files = gaps.length > 0 ? await filesOnNode(await logDirectory(pod)) : [];
    const unseen = gaps.filter((gap) => gap !== undefined && files.some((file) => file.endsWith(gap)));
    const told = `${missing} bytes are missing in ${gaps.length} places, ${unseen.length} of them a file's end, with ${holes} holes`;
    assert.ok(gaps.length - unseen.length <= 2 * holes, `${told}: ${gaps.map((gap) => gap ?? "much").join(" | ")}`);
    return told;
  }

  async function logDirectory(pod: string): Promise<string> {
    const uid = await world.kubectl("get", "pod", pod, "--namespace", world.namespace, "--output", "jsonpath={.metadata.uid}");
    return join(clusterPaths(world.cluster.name).directory, "pod-logs", `${world.namespace}_${pod}_${uid.trim()}`, "test");
  }

  it("of any bytes is those bytes: a long line, none at all, every byte, no newline at the end", async () => {
    const printed = [
      '("y" x 300000) . "\\n"',
      '"\\n\\n"',
      '(join "", map { chr } grep { $_ != 10 } 0..255) x 100',
      '"\\n" . "over\\rwritten\\n" . "\\e[31mred\\e[0m" . ("z" x 40000)',
    ];
    await createPod("odd", printed.map((each) => `print(${each});`).join(" "));
    const { child } = await startFollower("odd");
    assert.deepEqual((await child.exited).code, 0, child.log());
    const spool = await LogSpool.open(join(directory, "odd"), { limitBytes: LIMIT });
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10));
    const expected = [
      `${"y".repeat(300_000)}\n\n\n`,
      ...Array(100).fill(every),
      "\nover\rwritten\n",
      `\x1b[31mred\x1b[0m${"z".repeat(40_000)}`,
    ];
    assert.ok((await readAll(spool)).equals(Buffer.concat(expected.map((each) => Buffer.from(each)))));
    assert.deepEqual([spool.isEnded, spool.holes], [true, []]);
    await spool.close();
  });

  it("of a service has each of its runs", async (context) => {
    const container = { name: "judged", image: world.image, imagePullPolicy: "Never", command: ["sleep", "16"] };
    const script = "echo begins; for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done; printf 'no newline'; exit 1";
    const service = { ...container, name: "test", command: ["sh", "-c", script], restartPolicy: "Always" };
    const spec = { restartPolicy: "Never", terminationGracePeriodSeconds: 0, initContainers: [service], containers: [container] };
    await world.apply({ apiVersion: "v1", kind: "Pod", metadata: { name: "runs" }, spec });
    const { child } = await startFollower("runs");
    assert.deepEqual((await child.exited).code, 0, child.log());
    const spool = await LogSpool.open(join(directory, "runs"), { limitBytes: LIMIT });
    const text = (await readAll(spool)).toString();
    context.diagnostic(`${spool.attempts.length + 1} runs, ${spool.holes.length} holes`);
    assert.ok(spool.attempts.length >= 1, `${spool.attempts.length}`);
    const begins = [0, ...spool.attempts.map(({ offset }) => offset), text.length];
    const whole = "begins\nline 1\nline 2\nline 3\nline 4\nline 5\nno newline";
    const runs = begins.slice(1).map((end, index) => ({ begin: begins[index] ?? 0, end }));
    // The last is ended with its pod, wherever it is. Of one before it a node may have removed what was not read yet: that and nothing else is
    // missing, nothing is there twice, and a hole tells it.
    for (const { begin, end } of runs.slice(0, -1)) {
      const hole = spool.holes.find(({ offset }) => offset >= begin && offset <= end);
      const at = hole?.offset ?? end;
      const [before, behind] = [text.slice(begin, at), text.slice(at, end)];
      const isRight = whole.startsWith(before) && whole.endsWith(behind) && before.length + behind.length <= whole.length;
      const isWhole = before.length + behind.length === whole.length;
      assert.ok(isRight && (isWhole || hole !== undefined), `${JSON.stringify([before, behind])} ${JSON.stringify(spool.holes)}`);
    }
    await spool.close();
  });

  it("of 100 MB that come in a burst is byte for byte what was printed, or has a hole", async (context) => {
    await createPod("burst", `sleep 4; for ($i = 0; $i < ${BURST_LINES}; $i++) { print ${PRINTED_LINE} }`);
    const { child, said } = await startFollower("burst");
    assert.deepEqual((await child.exited).code, 0, child.log());
    context.diagnostic(await judge("burst", BURST_LINES));
    for (const line of said) context.diagnostic(line);
  });

  it("of a burst that is rotated again and again while it is read is byte for byte what was printed, or has a hole", async (context) => {
    await rotateOften();
    await createPod("rotated", `sleep 4; for ($i = 0; $i < ${ROTATED_LINES}; $i++) { print ${PRINTED_LINE} } sleep 10`);
    const { child, said } = await startFollower("rotated");
    assert.deepEqual((await child.exited).code, 0, child.log());
    context.diagnostic(await judge("rotated", ROTATED_LINES));
    for (const line of said) context.diagnostic(line);
  });

  it("of a pod that was rotated before it was followed has a hole at its beginning", async () => {
    const { child } = await startFollower("rotated", "late");
    assert.deepEqual((await child.exited).code, 0, child.log());
    const spool = await LogSpool.open(join(directory, "late"), { limitBytes: LIMIT });
    assert.deepEqual([spool.holes.length, spool.holes[0]?.offset, spool.holes[0]?.after], [1, 0, ""]);
    assert.ok((await readAll(spool)).toString().endsWith(printedLine(ROTATED_LINES - 1)));
    await spool.close();
  });

  it("of minutes with rotation, ten cuts and two kills is byte for byte what was printed, or has a hole", async (context) => {
    await rotateOften();
    await createPod(
      "slow",
      `$| = 1; for ($i = 0; $i < ${SLOW_LINES}; $i++) { print ${PRINTED_LINE}; select(undef, undef, undef, 0.02) if $i % 20 == 0 }`,
    );
    let follower = await startFollower("slow");
    for (let cut = 1; cut <= 10; cut += 1) {
      await follower.reached((cut * SLOW_LINES * LINE_BYTES) / 12);
      proxy.cut();
      if (cut % 4 !== 0) continue;
      follower.child.kill("SIGKILL");
      await follower.child.exited;
      follower = await startFollower("slow");
    }
    assert.deepEqual((await follower.child.exited).code, 0, follower.child.log());
    context.diagnostic(await judge("slow", SLOW_LINES));
  });
});
