import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, before, describe } from "node:test";
import fc from "fast-check";
import { downCluster, type LocalCluster, upCluster } from "../../deploy/local/local-cluster.ts";
import { applyTestTaskDefinition } from "../../deploy/local/test-task-definition.ts";
import { readTestTaskDocuments } from "../../src/commands/test-task-documents.ts";
import { renderTestTaskCrd, TEST_TASK_CRD_NAME } from "../../src/core/test-task/crd.ts";
import { compareDefinitions } from "../../src/core/test-task/definition-difference.ts";
import type { TestTaskStatus } from "../../src/core/test-task/schema/status.ts";
import { parseTestTask, TEST_TASK_API_VERSION } from "../../src/core/test-task/test-task.ts";
import { type KubeClient, loadKubeClient } from "../../src/kube/client/kube-client.ts";
import { isInvalid } from "../../src/kube/client/kube-error.ts";
import { TEST_TASKS } from "../../src/kube/client/resource.ts";
import { readServedDefinition } from "../../src/kube/objects/served-definition.ts";
import { TestTaskObjects } from "../../src/kube/objects/test-task-objects.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { testTaskSpecs } from "../support/objects/test-task-specs.ts";
import { silentLogger } from "../support/silent-logger.ts";

const ROOT = join(import.meta.dirname, "../..");
const FIXTURES = join(ROOT, "tests/fixtures/test-tasks");
const crd = readFileSync(join(ROOT, "crds", `${TEST_TASK_CRD_NAME}.yaml`), "utf8");
const CLUSTER = { name: "test-task-crd", log: () => {} };

/** What a real API server makes of TestTasks with the generated CRD: the same as this program. */
describe("the TestTask CRD on a real API server", () => {
  let cluster: LocalCluster;
  let client: KubeClient;
  /** What kubectl apply said of the fixtures: of all good ones, and of each bad one by its path. */
  let acceptance: string;
  let refusals: Map<string, string>;

  before(async () => {
    cluster = await upCluster(CLUSTER);
    client = await loadKubeClient({ kubeconfig: cluster.kubeconfig });
    await applyTestTaskDefinition(kubectl);
    await kubectl("create", "namespace", "ci");
    acceptance = (await runKubectl("apply", "--dry-run=server", "-f", join(FIXTURES, "good"))).output;
    refusals = parseRefusals((await runKubectl("apply", "--dry-run=server", "-f", join(FIXTURES, "bad"))).output);
  });

  after(async () => {
    await client?.close();
    await downCluster(CLUSTER);
  });

  /** `output` is stdout, then stderr. */
  function runKubectl(...words: string[]): Promise<{ isOk: boolean; output: string }> {
    return new Promise((resolve) => {
      const env = { ...process.env, KUBECONFIG: cluster.kubeconfig };
      execFile(cluster.kubectl, words, { env }, (error, stdout, stderr) => resolve({ isOk: error === null, output: stdout + stderr }));
    });
  }

  async function kubectl(...words: string[]): Promise<string> {
    const { isOk, output } = await runKubectl(...words);
    assert.ok(isOk, output);
    return output;
  }

  function makeObject(name: string, spec: unknown): object {
    return { apiVersion: TEST_TASK_API_VERSION, kind: "TestTask", metadata: { name, namespace: "ci" }, spec };
  }

  /** Why the API server refuses an object, asked as kubectl asks; undefined when it accepts. */
  async function judge(object: object): Promise<string | undefined> {
    try {
      await client.create(TEST_TASKS, "ci", object, { dryRun: true, fieldValidation: "Strict" });
      return undefined;
    } catch (thrown) {
      if (!isInvalid(thrown)) throw thrown;
      return (thrown as Error).message;
    }
  }

  test("what the API server publishes of it is the whole definition, rules and all", async () => {
    const own = renderTestTaskCrd() as { spec: { versions: { schema: { openAPIV3Schema: object } }[] } };
    let served: unknown;
    await waitUntil("TestTasks to be published", 30_000, async () => {
      served = await readServedDefinition(client, new AbortController().signal);
      return served !== undefined;
    });
    const difference = compareDefinitions(served, own.spec.versions[0]?.schema.openAPIV3Schema);
    assert.deepEqual(difference, { lacking: [], foreign: [], hasOtherRules: false });
  });

  test("is accepted as it is, with a structural schema", async () => {
    const { status } = JSON.parse(await kubectl("get", "crd", TEST_TASK_CRD_NAME, "-o", "json"));
    const conditions = new Map(status.conditions.map(({ type, status }: { type: string; status: string }) => [type, status]));
    assert.equal(conditions.get("Established"), "True");
    assert.equal(conditions.get("NamesAccepted"), "True");
    assert.notEqual(conditions.get("NonStructuralSchema"), "True");
  });

  for (const name of readdirSync(join(FIXTURES, "good"))) {
    test(`kubectl apply accepts good/${name}`, () => {
      const [document] = readTestTaskDocuments(readFileSync(join(FIXTURES, "good", name), "utf8"));
      const taskName = document?.name?.replace(/^.*\//, "");
      assert.match(acceptance, new RegExp(`^testtask\\.turbo-hipster\\.io/${taskName} created \\(server dry run\\)$`, "m"));
    });
  }

  test("kubectl apply accepts what is imported of the original Turbo Hipster's sample configuration", async () => {
    const file = join(ROOT, "tests/golden/import/original-sample.yaml");
    const names = readTestTaskDocuments(readFileSync(file, "utf8")).map(({ name }) => name);
    assert.equal(names.length, 5);
    assert.deepEqual(
      (await kubectl("apply", "--dry-run=server", "-f", file)).trimEnd().split("\n"),
      names.map((name) => `testtask.turbo-hipster.io/${name} created (server dry run)`),
    );
  });

  for (const name of readdirSync(join(FIXTURES, "bad"))) {
    test(`kubectl apply refuses bad/${name}, naming the field and, where a rule of ours is broken, the remedy`, () => {
      const file = join(FIXTURES, "bad", name);
      const refusal = refusals.get(file) ?? assert.fail("was accepted");
      const text = readFileSync(file, "utf8");
      const field = /^# refused: (.+)$/m.exec(text)?.[1] ?? assert.fail("the fixture does not say which field is bad");
      // For kubectl another version of a kind is another kind.
      assert.ok(refusal.includes(field === "apiVersion" ? 'in version "turbo-hipster.io/v1"' : field), refusal);
      assert.ok(refusal.length < 2000, "prints the whole value");
      const [document] = readTestTaskDocuments(text);
      assert.ok(document?.state === "invalid");
      // The API server says it in its own words when a type is wrong, and looks at no rule then.
      const remedies = /must be of type/.test(refusal) ? [] : document.problems.filter(({ message }) => crd.includes(message));
      for (const { message } of remedies) assert.ok(refusal.includes(message), `${refusal} lacks: ${message}`);
    });
  }

  test("says yes and no as this program does, to any spec", async () => {
    let accepted = 0;
    let refused = 0;
    const seed = Number(process.env.TH_TEST_SEED ?? 20_261_124);
    const numRuns = Number(process.env.TH_TEST_RUNS ?? 500);
    await fc.assert(
      fc.asyncProperty(testTaskSpecs(), async (spec) => {
        const object = makeObject("generated", spec);
        const ours = parseTestTask(object, { strictMetadata: true });
        const theirs = await judge(object);
        if (ours.ok) accepted++;
        else refused++;
        assert.equal(ours.ok, theirs === undefined, `ours: ${JSON.stringify(ours)}\ntheirs: ${theirs}`);
      }),
      { seed, numRuns },
    );
    assert.ok(accepted > numRuns / 10 && refused > numRuns / 10, `${accepted} accepted, ${refused} refused`);
  });

  test("accepts the largest tasks that the schema allows: no rule is too costly", async () => {
    const jobs = Array.from({ length: 1000 }, (_, index) => `${"j".repeat(196)}${String(index).padStart(4, "0")}`);
    assert.equal(await judge(makeObject("jobs", { image: "busybox", jobs })), undefined);
    const nodeSelector = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`example.com/label-${index}`, "v".repeat(63)]));
    const tolerations = Array.from({ length: 50 }, () => ({
      key: "k".repeat(253),
      value: "v".repeat(63),
      effect: "NoExecute",
      tolerationSeconds: 1,
    }));
    const nodeLabels = Array.from({ length: 50 }, (_, index) => ({
      name: `${"n".repeat(97)}${index}`,
      image: "i".repeat(1000),
      nodeSelector,
      tolerations,
    }));
    const env = Array.from({ length: 200 }, (_, index) => ({ name: `${"E".repeat(190)}${index}`, value: "v".repeat(2000) }));
    const amounts = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`example.com/${"r".repeat(40)}${index}`, "9".repeat(18)]));
    const containers = Array.from({ length: 50 }, (_, index) => ({ name: `${"c".repeat(60)}${index}`, image: "i".repeat(1000) }));
    const walked = {
      env: Array.from({ length: 500 }, (_, index) => ({ name: `${"E".repeat(20)}${index}` })),
      volumeMounts: Array.from({ length: 200 }, (_, index) => ({ name: "v", mountPath: `/m/${index}` })),
    };
    const template = {
      spec: {
        containers: containers.map((container) => ({ ...container, name: container.name.replace("c", "d"), ...walked })),
        initContainers: containers,
        volumes: Array.from({ length: 200 }, (_, index) => ({ name: `${"v".repeat(60)}${index}` })),
      },
    };
    assert.equal(await judge(makeObject("template", { template })), undefined);
    const resources = { requests: amounts, limits: amounts };
    assert.equal(
      await judge(makeObject("everything", { nodeLabels, env, resources, script: "s".repeat(65_536), template: { spec: { containers } } })),
      undefined,
    );
    const list = <T>(length: number, make: (index: number) => T) => Array.from({ length }, (_, index) => make(index));
    const project = (index: number) => `${"p".repeat(200)}/${index}`;
    const services = list(20, (index) => ({
      name: `${"s".repeat(40)}${index}`,
      image: "i".repeat(1000),
      command: list(20, () => "c".repeat(1000)),
      env: list(50, (each) => ({ name: `${"E".repeat(190)}${each}`, value: "v".repeat(500) })),
      ports: list(20, (each) => ({ containerPort: each + 1 })),
      resources: { limits: amounts },
      ready: { exec: { command: ["true"] } },
    }));
    const map = (value: string) => Object.fromEntries(list(50, (index) => [`${"d".repeat(240)}.io/${"k".repeat(60)}${index}`, value]));
    assert.equal(await judge(makeObject("services", { image: "busybox", services })), undefined);
    assert.equal(
      await judge(makeObject("maps", { image: "busybox", labels: map("v".repeat(63)), annotations: map("v".repeat(600)) })),
      undefined,
    );
    const projects = list(100, project);
    const checkout = {
      gitUrl: "https://h",
      projects,
      projectBranches: Object.fromEntries(projects.map((name) => [name, "b".repeat(255)])),
    };
    const envFrom = list(50, (index) => ({ prefix: "P".repeat(100), secretRef: { name: `${"n".repeat(250)}${index}` } }));
    const datasets = list(20, (index) => ({
      name: `d${index}`,
      projects,
      branches: list(100, (each) => `${"b".repeat(250)}${each}`),
      image: { reference: "i".repeat(1000) },
    }));
    const checks = list(50, (index) => ({
      name: `c${index}`,
      steps: {
        start: "s".repeat(500),
        end: "e".repeat(500),
        limit: "1h",
        overrides: list(20, (each) => ({ step: `${each}`, limit: "1m" })),
      },
    }));
    const artifacts = { paths: list(100, (index) => `${"a".repeat(250)}${index}`) };
    const pipelines = list(50, (index) => `${"p".repeat(98)}${index}`.slice(-100));
    assert.equal(
      await judge(makeObject("rest", { image: "busybox", checkout, envFrom, datasets, checks, artifacts, pipelines })),
      undefined,
    );
  });

  test("fills in defaults that every version knows, and what it gives back means what was written", async () => {
    const created = await client.create<{ spec: object }>(TEST_TASKS, "ci", makeObject("defaults", { image: "busybox", checkout: {} }));
    assert.deepEqual(created.spec, {
      ...{ image: "busybox", checkout: { enabled: true }, suspend: false, timeouts: { pull: "10m", run: "1h" } },
    });
    const [stored, written] = [created.spec, { image: "busybox", checkout: {} }].map((spec) => parseTestTask(makeObject("defaults", spec)));
    assert.ok(stored?.ok);
    assert.deepEqual(stored, written);
  });

  test("drops unknown fields that were forced on it, but for the template's", async () => {
    const template = {
      finalizers: ["kept"],
      spec: { aFieldOfNextYear: 1, containers: [{ name: "test", image: "busybox", another: true }] },
    };
    const created = await client.create<{ spec: Record<string, unknown> }>(
      TEST_TASKS,
      "ci",
      makeObject("forced", { scirpt: "true", template }),
      {
        dryRun: true,
        fieldValidation: "Ignore",
      },
    );
    assert.equal("scirpt" in created.spec, false);
    assert.deepEqual(created.spec.template, template);
  });

  test("takes the status of a task that was stored before the rule that refuses it, and keeps it stored as it is", async () => {
    const broken = { image: "busybox", jobs: ["^gate-.*"] };
    const rule = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/jobs/items/x-kubernetes-validations";
    const patch = JSON.stringify([{ op: "remove", path: rule }]);
    try {
      await kubectl("patch", "customresourcedefinition", TEST_TASK_CRD_NAME, "--type", "json", "--patch", patch);
      const isTaken = async () => (await judge(makeObject("older", broken))) === undefined;
      await waitUntil("the API server to forget the rule", 30_000, isTaken);
      await client.create(TEST_TASKS, "ci", makeObject("older", broken));
      await applyTestTaskDefinition(kubectl);
      await waitUntil("the API server to know the rule again", 30_000, async () => !(await isTaken()));
    } finally {
      await applyTestTaskDefinition(kubectl);
    }
    const objects = new TestTaskObjects({ client, namespaces: ["ci"], onChange() {}, clock: systemClock, logger: silentLogger });
    const status: TestTaskStatus = { observedGeneration: 1, functions: [], active: 0 };
    await objects.writeStatus("ci", "older", status, new AbortController().signal);
    const stored = await client.get<{ spec: { jobs: string[] }; status: TestTaskStatus }>(TEST_TASKS, "ci", "older");
    assert.deepEqual([stored.spec.jobs, stored.status], [broken.jobs, status]);
  });

  test("keeps the status apart from the spec, checks it, and shows both in kubectl get tt", async () => {
    await client.create(TEST_TASKS, "ci", makeObject("shown", { image: "busybox", jobs: ["unit", "functional"] }));
    const condition = { observedGeneration: 1, lastTransitionTime: "2026-01-01T00:00:00Z", message: "ok" };
    const status: TestTaskStatus = {
      observedGeneration: 1,
      conditions: [
        { type: "Ready", status: "True", reason: "Serving", ...condition },
        { type: "Registered", status: "Unknown", reason: "Connecting", ...condition },
      ],
      functions: ["build:unit", "build:functional"],
      active: 3,
      lastBuild: {
        number: "shown-0123",
        result: "FAILURE - out of memory (limit 2Gi)",
        url: "http://ci.example.com/1",
        finishedAt: "2026-01-01T00:00:00Z",
      },
    };
    await client.mergePatch(TEST_TASKS, "ci", "shown", { spec: { suspend: true }, status }, { subresource: "status" });
    const stored = await client.get(TEST_TASKS, "ci", "shown");
    const parsed = parseTestTask(stored);
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.task.status, status);
    assert.equal(parsed.task.spec.suspend, false);
    await assert.rejects(
      client.mergePatch(TEST_TASKS, "ci", "shown", { status: { active: -1 } }, { subresource: "status" }),
      /status\.active/,
    );

    const cells = (await kubectl("get", "tt", "-n", "ci", "shown", "--no-headers")).trim().split(/\s{2,}/);
    assert.deepEqual(cells.slice(0, 6), ["shown", "false", "3", "True", "Unknown", "FAILURE - out of memory (limit 2Gi)"]);
    assert.match(
      await kubectl("get", "ci", "-n", "ci", "shown", "-o", "wide"),
      /Serving.*\["unit","functional"\].*http:\/\/ci\.example\.com\/1/,
    );
  });

  test("a build with a null result is a status that can be written", async () => {
    await client.create(TEST_TASKS, "ci", makeObject("null-result", { image: "busybox" }));
    const lastBuild = { number: "n-1", result: null, url: "http://x/builds/n-1", finishedAt: "2026-01-01T00:00:00Z" };
    const tasks = new TestTaskObjects({ client, namespaces: ["ci"], clock: systemClock, logger: silentLogger, onChange() {} });
    await tasks.writeStatus("ci", "null-result", { conditions: [], functions: [], active: 0, lastBuild }, new AbortController().signal);
    const { status } = await client.get<{ status: TestTaskStatus }>(TEST_TASKS, "ci", "null-result");
    assert.deepEqual(status.lastBuild, lastBuild);
  });

  test("explains every field", async () => {
    const text = await kubectl("explain", "tt.spec.timeouts");
    assert.match(text, /How long the test may run/);
  });
});

/** kubectl's errors about several files, by file. */
function parseRefusals(output: string): Map<string, string> {
  const pieces = output.split(/"(?=[^"\n]*\/test-tasks\/bad\/[^"\n]*": )/).slice(1);
  return new Map(pieces.map((piece) => [piece.slice(0, piece.indexOf('"')), piece.slice(piece.indexOf('"') + 3)]));
}
