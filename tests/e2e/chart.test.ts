import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { CommandError, runCommand } from "../../deploy/local/run-command.ts";
import { waitUntil } from "../../deploy/local/wait-until.ts";
import { parseTestTask } from "../../src/core/test-task.ts";
import { startGeard } from "../support/geard.ts";
import { adminStatus, type GearmanServer } from "../support/gearman-server.ts";
import { startGearmand } from "../support/gearmand.ts";
import { useTestCluster } from "../support/test-cluster.ts";
import { startZuulLauncher, type ZuulLauncher } from "../support/zuul-launcher.ts";

const ROOT = join(import.meta.dirname, "../..");
const CHART = join(ROOT, "charts/turbo-hipster");
const RELEASE = "th";
const DEPLOYMENT = "th-turbo-hipster";
const LIMIT_MS = 60_000;

const context = useTestCluster("chart");

function helm(...args: string[]): Promise<string> {
  return runCommand(context.cluster.helm, [...args, "--namespace", context.namespace, "--kubeconfig", context.cluster.kubeconfig]);
}

function kubectl(...args: string[]): Promise<string> {
  return context.kubectl("--namespace", context.namespace, ...args);
}

async function operatorPods(): Promise<string[]> {
  const names = await kubectl("get", "pods", "-l", `app.kubernetes.io/instance=${RELEASE}`, "-o", "name");
  return names.split("\n").filter((name) => name !== "");
}

/** The operator's only pod, once a rollout has come to its end. */
async function operatorPod(): Promise<string> {
  await kubectl("rollout", "status", `deployment/${DEPLOYMENT}`, `--timeout=${LIMIT_MS / 1000}s`);
  await waitUntil("the operator's pods to be one", LIMIT_MS, async () => (await operatorPods()).length === 1);
  return (await operatorPods())[0] ?? "";
}

async function serviceAddress(name: string): Promise<string> {
  return kubectl("get", "service", name, "-o", "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}");
}

/** Lets the test of "waits" come to its end. */
async function release(pod: string): Promise<void> {
  try {
    await kubectl("exec", pod, "--", "touch", "/tmp/go");
  } catch (error) {
    // The container may end, and everything in it be killed, before `touch` was seen to end.
    if (!(error instanceof CommandError) || error.exitCode !== 137) throw error;
  }
}

function testTask(name: string, script: string): object {
  const spec = { image: context.image, script, timeouts: { run: "2m" } };
  return { apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name }, spec };
}

describe("the chart on a cluster", () => {
  let gearmand: GearmanServer;
  let geard: GearmanServer;
  let zuul: ZuulLauncher;
  let zuulOnGeard: ZuulLauncher;
  let values: string[];

  before(async () => {
    const listen = context.cluster.hostAddress;
    gearmand = await startGearmand({ listen });
    geard = await startGeard({ listen });
    // Whatever breaks the restricted standard is refused here, in the operator's pod as in builds'.
    await context.kubectl("label", "namespace", context.namespace, "pod-security.kubernetes.io/enforce=restricted");
    await context.apply(testTask("hello", 'echo "this is $TH_JOB_NAME"'), testTask("waits", "until [ -e /tmp/go ]; do sleep 0.1; done"));
    const [, repository, tag] = /^(.+):([^:/]+)$/.exec(context.image) ?? [];
    values = [
      ...["--values", join(ROOT, "deploy/examples/values-local.yaml")],
      ...["--set", `config.gearman.servers={${gearmand.address},${geard.address}}`],
      ...["--set", `image.repository=${repository}`, "--set", `image.tag=${tag}`],
    ];
  });
  after(async () => {
    await zuul?.stop();
    await zuulOnGeard?.stop();
    await helm("uninstall", RELEASE, "--ignore-not-found", "--wait");
    await gearmand?.stop();
    await geard?.stop();
  });

  test("helm installs it, and says what to do next", async () => {
    // The definition is there already, as kubectl applied it.
    const notes = await helm("install", RELEASE, CHART, ...values, "--take-ownership", "--wait", "--timeout", "2m");
    assert.match(notes, new RegExp(`takes builds from ${gearmand.address}, ${geard.address}`));
    const shown = /<<'END'\n(.*?)\n {2}END\n/s.exec(notes)?.[1]?.replace(/^ {2}/gm, "");
    const parsed = parseTestTask(parse(shown ?? ""), { strictMetadata: true });
    assert.ok(parsed.ok, JSON.stringify(parsed));
    for (const { address } of [gearmand, geard]) {
      await waitUntil(`the jobs at ${address}`, LIMIT_MS, async () => ((await adminStatus(address)).get("build:hello")?.workers ?? 0) > 0);
    }
    zuul = await startZuulLauncher({ server: gearmand.address });
    zuulOnGeard = await startZuulLauncher({ server: geard.address });
  });

  test("a second release that would install the definition too is refused", async () => {
    await assert.rejects(
      helm("install", "second", CHART, ...values),
      /testtasks\.turbo-hipster\.io.*cannot be imported into the current release/s,
    );
  });

  test("each Service leads to its own pages", async () => {
    const [pages, internal] = [await serviceAddress(DEPLOYMENT), await serviceAddress(`${DEPLOYMENT}-internal`)];
    assert.equal((await fetch(`http://${internal}/readyz`)).status, 200);
    assert.equal((await fetch(`http://${pages}/readyz`)).status, 404);
  });

  test("the operator may neither read Secrets nor reach into another namespace", async () => {
    const account = `system:serviceaccount:${context.namespace}:${DEPLOYMENT}`;
    const mayI = (...question: string[]) =>
      context.kubectl("auth", "can-i", ...question, "--as", account).catch((error: Error) => error.message);
    assert.match(await mayI("create", "jobs.batch", "--namespace", context.namespace), /^yes/);
    assert.match(await mayI("get", "secrets", "--namespace", context.namespace), /^no$/m);
    assert.match(await mayI("list", "testtasks.turbo-hipster.io", "--namespace", "default"), /^no$/m);
    assert.match(await mayI("list", "pods", "--all-namespaces"), /^no$/m);
  });

  test("a build goes through it, from either Gearman server", async () => {
    for (const launcher of [zuul, zuulOnGeard]) {
      const completed = await launcher.launch({ job: "hello" }).completed;
      assert.deepEqual([completed.result, completed.attempts], ["SUCCESS", 1]);
      assert.match(completed.url ?? "", /\/builds\/hello-[0-9a-f]{16}$/);
      assert.equal(await kubectl("logs", `job/${completed.number}`), "this is hello\n");
    }
    await waitUntil("the status of the TestTask", LIMIT_MS, async () => / True +True +SUCCESS /.test(await kubectl("get", "tt", "hello")));
  });

  test("its metrics count those builds, and the signal in the documentation makes it log debug lines", async () => {
    const metrics = await (await fetch(`http://${await serviceAddress(`${DEPLOYMENT}-internal`)}/metrics`)).text();
    assert.match(metrics, new RegExp(`^turbo_hipster_builds_total\\{task="${context.namespace}/hello",class="success"\\} 2$`, "m"));
    const command = /exec deploy\/turbo-hipster -- sh -c '(.+)'/.exec(await readFile(join(ROOT, "docs/metrics.md"), "utf8"))?.[1] ?? "";
    await kubectl("exec", `deployment/${DEPLOYMENT}`, "--", "sh", "-c", command);
    await waitUntil("the new level", LIMIT_MS, async () => /"logLevel":"debug"/.test(await kubectl("logs", `deployment/${DEPLOYMENT}`)));
  });

  test("nothing that it asked the API server for was forbidden", async () => {
    const log = await kubectl("logs", `deployment/${DEPLOYMENT}`);
    assert.match(log, /takes builds/);
    assert.deepEqual(
      log.split("\n").filter((line) => /forbidden/i.test(line)),
      [],
    );
  });

  test("its pod is deleted: the next one goes on with the build that runs, and takes what was submitted meanwhile", async () => {
    const before = await operatorPod();
    const running = zuul.launch({ job: "waits" });
    const { number } = await running.started;
    await running.waitFor("update", ({ numerator }) => numerator === "4");
    await kubectl("delete", before, "--wait=false");
    const submitted = zuul.launch({ job: "hello" });
    assert.notEqual(await operatorPod(), before);
    const [pod] = (await kubectl("get", "pods", "-l", `job-name=${number}`, "-o", "name")).split("\n");
    await release(pod ?? "");
    for (const build of [running, submitted]) {
      const completed = await build.completed;
      assert.deepEqual([completed.result, completed.attempts], ["SUCCESS", 1]);
    }
    assert.equal((await running.completed).number, number);
    assert.equal(await kubectl("get", "pods", "-l", `turbo-hipster.io/task=waits`, "-o", "name"), `${pod}\n`);
  });

  test("an upgrade replaces it, and its jobs never leave Zuul's Gearman server meanwhile", async () => {
    const before = await operatorPod();
    const workers: number[] = [];
    let isOver = false;
    const upgrade = helm("upgrade", RELEASE, CHART, ...values, "--set", "config.maxBuilds=7", "--wait", "--timeout", "2m")
      .then(operatorPod)
      .finally(() => {
        isOver = true;
      });
    await waitUntil("the upgrade", 3 * LIMIT_MS, async () => {
      workers.push((await adminStatus(geard.address)).get("build:hello")?.workers ?? 0);
      return isOver;
    });
    assert.ok(Math.min(...workers) > 0, `workers of the job, over time: ${workers.join()}`);
    assert.notEqual(await upgrade, before);
    assert.equal((await zuulOnGeard.launch({ job: "hello" }).completed).result, "SUCCESS");
  });

  test("after helm uninstall only the definition is left, the TestTasks, and what belongs to their builds", async () => {
    await helm("uninstall", RELEASE, "--wait", "--cascade", "foreground");
    const list = async (kinds: string, ...flags: string[]) => {
      const names = (await context.kubectl("api-resources", "--verbs=list", "--output=name", kinds)).trim().split("\n");
      return (await context.kubectl("get", names.join(), "--ignore-not-found", "--output=name", ...flags)).split("\n").filter(Boolean);
    };
    // Endpoints go with their Service, a moment later.
    await waitUntil("the release's objects to be gone", LIMIT_MS, async () => {
      const labelled = ["--all-namespaces", "--selector", `app.kubernetes.io/instance=${RELEASE}`];
      return (await list("--namespaced=true", ...labelled)).length + (await list("--namespaced=false", ...labelled)).length === 0;
    });
    assert.match(await context.kubectl("get", "crd", "testtasks.turbo-hipster.io", "--output=name"), /testtasks/);
    const left = await list("--namespaced=true", "--namespace", context.namespace);
    const expected = [
      /^testtask.turbo-hipster.io\/(hello|waits)$/,
      /^(pod|job.batch)\/(hello|waits)-[0-9a-f]{16}/,
      /^configmap\/th-functions$/,
      // Every namespace has these.
      /^configmap\/kube-root-ca.crt$|^serviceaccount\/default$|^event/,
    ];
    assert.deepEqual(
      left.filter((name) => !expected.some((pattern) => pattern.test(name))),
      [],
    );
    assert.ok(left.includes("testtask.turbo-hipster.io/hello"));
    for (const { address } of [gearmand, geard]) {
      assert.equal((await adminStatus(address)).get("build:hello")?.workers ?? 0, 0);
    }
  });
});
