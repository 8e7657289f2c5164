import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { connectGearmanClient } from "../../src/gearman/client/gearman-client.ts";
import { TEST_TASKS } from "../../src/kube/client/resource.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { VERSION } from "../../src/version.ts";
import { type ChildExit, startChild } from "../support/child-process.ts";
import { startOperator } from "../support/cluster/operator-process.ts";
import { startFakeKube } from "../support/fake-kube/fake-kube.ts";
import { playNode } from "../support/fake-kube/play-node.ts";
import { findFreePort } from "../support/free-port.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { submitBuild } from "./gearman/worker/link-harness.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const LEAST = "gearman: {servers: ['127.0.0.1:1']}\nhttp: {public: '127.0.0.1:0', internal: '127.0.0.1:0'}\n";

/** Runs the program to its end; what it printed, on whichever stream, is in `output`. */
async function run(...args: string[]): Promise<ChildExit & { output: string }> {
  const child = await startChild({ command: process.execPath, args: [MAIN, ...args], env: { KUBECONFIG: "", HOME: "/nowhere" } });
  return { ...(await child.exited), output: child.log() };
}

describe("turbo-hipster", () => {
  test("tells its version and its commands, each with help", async () => {
    assert.deepEqual(await run("--version"), { code: 0, signal: null, output: `${VERSION}\n` });
    const help = await run("--help");
    assert.equal(help.code, 0);
    for (const command of ["operator", "submit", "validate", "render", "checkout"])
      assert.match(help.output, new RegExp(`\\n {2}${command} `));
    const ofCommand = await run("operator", "--help");
    assert.equal(ofCommand.code, 0);
    assert.match(ofCommand.output, /--config <file>[\s\S]*Exit codes/);
  });

  const wrong: [string, string[], RegExp][] = [
    ["a command that is none", ["operate"], /unknown command 'operate'\n\(Did you mean operator\?\)[\s\S]*--help/],
    ["a command that is near none", ["bogus"], /unknown command 'bogus'\n\(turbo-hipster --help shows what there is\)/],
    ["a command by the name of something else's", ["constructor"], /unknown command 'constructor'/],
    ["an option that is none", ["render", "--fast", "x"], /unknown option '--fast'/],
    ["no argument", ["render"], /missing required argument 'file'/],
    ["no configuration", ["operator"], /required option '--config <file>' not specified/],
  ];
  for (const [name, args, message] of wrong) {
    test(`says what is wrong with ${name}, and exits 1`, async () => {
      const { code, output } = await run(...args);
      assert.match(output, message);
      assert.doesNotMatch(output, /\n {4}at /, "no stack");
      assert.equal(code, 1);
    });
  }
});

test("import layout has options of its own, behind it", async () => {
  const layout = fileURLToPath(new URL("../fixtures/layouts/anchors.yaml", import.meta.url));
  const { code, output } = await run("import", "layout", layout, "--image", "registry.example.com/ci/own:1");
  assert.equal(code, 1);
  assert.match(output, /image: registry\.example\.com\/ci\/own:1/);
});

test("render - reads a TestTask, and check - its checks, from standard input", () => {
  const runWith = (input: string, ...args: string[]) => spawnSync(process.execPath, [MAIN, ...args], { input, encoding: "utf8" });
  const task = "apiVersion: turbo-hipster.io/v1alpha1\nkind: TestTask\nmetadata: {name: a}\nspec: {image: i, script: make}\n";
  const rendered = runWith(task, "render", "-");
  assert.equal(rendered.status, 0, rendered.stderr);
  assert.match(rendered.stdout, /^kind: Job$/m);
  // Some of it is written later, as by kubectl get.
  const piped = spawnSync("sh", ["-c", '(sleep 1; cat) | "$@"', "sh", process.execPath, MAIN, "render", "-"], {
    input: task,
    encoding: "utf8",
  });
  assert.match(piped.stdout, /^kind: Job$/m, piped.stderr);
  const refused = runWith(task.replace("image", "imgae"), "render", "-");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /<stdin>:4: spec\.imgae: unknown field; did you mean image\?/);
  assert.match(runWith(task, "check", "-", "--log", "-").stderr, /can't both come from standard input/);
});

describe("turbo-hipster operator", () => {
  let directory: string;
  const path = (name: string) => join(directory, name);
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "th-main-"));
    await writeFile(path("config.yaml"), LEAST);
    await writeFile(path("unknown.yaml"), `${LEAST}maxbuilds: 3\n`);
    await writeFile(path("broken.kubeconfig"), "clusters: [");
    await writeFile(path("busy.yaml"), "");
    await writeFile(path("unreadable.yaml"), LEAST);
    await chmod(path("unreadable.yaml"), 0o000);
  });
  after(() => rm(directory, { recursive: true }));

  const bad: [string, () => string[], RegExp][] = [
    [
      "a configuration that is not there",
      () => ["--config", path("nowhere.yaml")],
      /cannot read the configuration .*nowhere\.yaml: ENOENT/,
    ],
    ["a folder as configuration", () => ["--config", directory], /cannot read the configuration .*: EISDIR/],
    [
      "an unknown field",
      () => ["--config", path("unknown.yaml")],
      /unknown\.yaml is no valid configuration:\n {2}maxbuilds: unknown field/,
    ],
    ["a kubeconfig that is not there", () => ["--config", path("config.yaml"), "--kubeconfig", path("nowhere")], /nowhere/],
    [
      "a kubeconfig that cannot be read",
      () => ["--config", path("config.yaml"), "--kubeconfig", path("broken.kubeconfig")],
      /broken\.kubeconfig/,
    ],
    ["no kubeconfig anywhere", () => ["--config", path("config.yaml")], /kubeconfig/],
  ];
  for (const [name, args, message] of bad) {
    test(`says what is wrong with ${name}, and exits 1`, async () => {
      const { code, output } = await run("operator", ...args());
      assert.match(output, /^turbo-hipster: /);
      assert.match(output, message);
      assert.doesNotMatch(output, /\n {4}at /, "no stack");
      assert.equal(code, 1);
    });
  }

  test("says that somebody listens on its port already, and exits 1", async () => {
    await using kube = await startFakeKube();
    const config = { gearman: { servers: ["127.0.0.1:1"] }, http: { public: new URL(kube.url).host, internal: "127.0.0.1:0" } };
    await writeFile(path("busy.yaml"), JSON.stringify(config));
    const { code, output } = await run("operator", "--config", path("busy.yaml"), "--kubeconfig", kube.kubeconfig);
    assert.match(output, /turbo-hipster: cannot listen on .*EADDRINUSE.*http:/);
    assert.equal(code, 1);
  });

  test("keeps running without a Gearman server, says so once, and takes builds when it comes", async () => {
    await using kube = await startFakeKube();
    using _node = playNode(kube);
    kube.create(TEST_TASKS, "ci", { metadata: { name: "unit" }, spec: { image: "a" } });
    const port = await findFreePort();
    await using operator = await startOperator({
      kubeconfig: kube.kubeconfig,
      config: { namespaces: ["ci"], gearman: { servers: [`127.0.0.1:${port}`] } },
    });
    await operator.logged("cannot reach the gearman server, trying again");
    await using gearmand = await startGearmand({ port });
    await using client = await connectGearmanClient({ server: gearmand.address, clock: systemClock });
    const build = submitBuild(client, "build:unit", "unique-1");
    // What another process does takes its time on a busy machine: by its own words, not by this process's patience.
    await operator.logged("registered at the gearman server");
    await operator.logged("accepts a build");
    await operator.logged("recorded the build", ({ delivered }) => delivered === true);
    assert.equal((await build.end()).kind, "complete");
    const words = operator.lines.map(({ msg }) => String(msg));
    const before = words.slice(0, words.indexOf("registered at the gearman server"));
    assert.equal(before.filter((word) => word.startsWith("cannot reach")).length, 1);
    assert.equal(await operator.stop(), 0);
  });

  test("goes on after kill -9 with the pod that runs", async () => {
    await using kube = await startFakeKube();
    const finished = Promise.withResolvers<void>();
    using _node = playNode(kube, () => ({ finished: finished.promise }));
    kube.create(TEST_TASKS, "ci", { metadata: { name: "unit" }, spec: { image: "a" } });
    await using gearmand = await startGearmand();
    await using client = await connectGearmanClient({ server: gearmand.address, clock: systemClock });
    const config = { namespaces: ["ci"], gearman: { servers: [gearmand.address] } };
    await using first = await startOperator({ kubeconfig: kube.kubeconfig, config });
    const build = submitBuild(client, "build:unit", "unique-1");
    await first.logged("build reached a new state", ({ state }) => state === "running");
    first.child.kill("SIGKILL");
    await first.child.exited;
    await using second = await startOperator({ kubeconfig: kube.kubeconfig, config });
    await second.logged("attaches a request to the build that is under way");
    finished.resolve();
    assert.equal((await build.end()).kind, "complete");
    assert.equal(
      kube.calls.filter(({ verb, resource, query }) => verb === "create" && resource === "jobs" && !query.has("dryRun")).length,
      1,
    );
    assert.equal(await second.stop(), 0);
  });
});
