import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { loadImage } from "../../deploy/local/local-cluster.ts";
import { runCommand } from "../../tools/machine/run-command.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { ensureFirstVersion } from "../support/cluster/first-version.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { type GatedTests, gatedParameters, makeGatedTests } from "../support/gated-tests.ts";
import { adminStatus, type GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulBuild, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const CHART = join(import.meta.dirname, "../../charts/turbo-hipster");
const DEFINITION = "testtasks.turbo-hipster.io";
const LIMIT_MS = 90_000;
/** Of one test: what hangs is to say so. */
const TEST = { timeout: 420_000 };
const BUILDS = 30;
/** Which the first version has no field for. */
const CHECK = { name: "quiet", pattern: { regex: "panic" } };

const context = useTestCluster("upgrade");

/** One release, the namespace that it is in and serves, the Gearman server that it takes builds from, and the builds that Zuul launched there. */
class Installation {
  readonly release: string;
  readonly namespace: string;
  readonly builds: ZuulBuild[] = [];
  gearmand!: GearmanServer;
  zuul!: ZuulLauncher;
  gates!: GatedTests;

  constructor(release: string, namespace: string) {
    this.release = release;
    this.namespace = namespace;
  }

  async start(gates: readonly string[]): Promise<void> {
    this.gearmand = await startGearmand({ listen: context.cluster.hostAddress });
    this.gates = await makeGatedTests(gates);
  }

  async stop(): Promise<void> {
    await this.zuul?.stop();
    await this.helm("uninstall", this.release, "--ignore-not-found", "--wait");
    await this.gearmand?.stop();
    await this.gates?.[Symbol.asyncDispose]();
  }

  helm(...args: string[]): Promise<string> {
    return runCommand(context.cluster.helm, [...args, "--namespace", this.namespace, "--kubeconfig", context.cluster.kubeconfig]);
  }

  kubectl(...args: string[]): Promise<string> {
    return context.kubectl("--namespace", this.namespace, ...args);
  }

  /** A task, and Zuul once its job is served. */
  async serve(): Promise<void> {
    const metadata = { name: "gated" };
    const spec = { ...this.gates.taskSpec(context.image), checkout: { enabled: false } };
    await context.applyTo(this.namespace, { apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata, spec });
    await waitUntil("the job of the task", LIMIT_MS, async () => (await this.workers()) > 0);
    this.zuul = await startZuulLauncher({ server: this.gearmand.address });
  }

  async workers(): Promise<number> {
    return (await adminStatus(this.gearmand.address)).get("build:gated")?.workers ?? 0;
  }

  /** So many builds whose tests wait at `gate`. */
  launch(count: number, gate: string): ZuulBuild[] {
    const launched = Array.from({ length: count }, (_, place) => {
      const index = this.builds.length + place;
      const params = gatedParameters({ index, gate, exitCode: 0, text: "" });
      return this.zuul.launch({ job: "gated", item: { kind: "change", number: 1000 + index }, params });
    });
    this.builds.push(...launched);
    return launched;
  }

  /** Resolves once the tests of all builds launched so far have begun, each of them once. */
  async allBegun(): Promise<void> {
    const indices = this.builds.map((_, index) => index);
    let begun: number[] = [];
    await waitUntil(`${this.builds.length} tests to begin`, LIMIT_MS, async () => {
      begun = (await this.gates.starts()).sort((a, b) => a - b);
      return begun.length >= this.builds.length;
    });
    assert.deepEqual(begun, indices);
  }

  /** Each of these was launched once and has passed, and no test of any build has begun twice. */
  async expectAnswers(builds: readonly ZuulBuild[]): Promise<void> {
    const completed = await Promise.all(builds.map((build) => build.completed));
    assert.deepEqual(
      completed.map(({ result, attempts }) => `${result} ${attempts}`),
      builds.map(() => "SUCCESS 1"),
    );
    await this.allBegun();
  }
}

async function definitionKnows(field: string): Promise<boolean> {
  const path = `{.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.${field}.type}`;
  return (await context.kubectl("get", "crd", DEFINITION, "--output", `jsonpath=${path}`)) !== "";
}

/** Names of a task's checks, as the definition of the moment lets them be read. */
function checksOf(task: string): Promise<string> {
  return context.kubectl("--namespace", context.namespace, "get", "testtask", task, "--output", "jsonpath={.spec.checks[*].name}");
}

describe("a release of the first chart", () => {
  let first: Awaited<ReturnType<typeof ensureFirstVersion>>;
  let directory: string;
  /** The release that is upgraded, and one of today's beside it that must not notice. */
  let upgraded: Installation;
  let beside: Installation;
  let longBuild: ZuulBuild;
  let besideBefore: string;

  before(async () => {
    first = await ensureFirstVersion();
    await loadImage(context.cluster.name, first.archive);
    directory = await mkdtemp(join(tmpdir(), "th-upgrade-"));
    upgraded = new Installation("th", context.namespace);
    beside = new Installation("beside", `${context.namespace}-beside`);
    await context.kubectl("create", "namespace", beside.namespace);
    await upgraded.start(["first", "second", "third", "fourth"]);
    await beside.start(["end", "open"]);
    // That of the first chart takes its place.
    await context.kubectl("delete", "crd", DEFINITION, "--wait");
  });
  after(async () => {
    await upgraded?.stop();
    await beside?.stop();
    if (beside) await context.kubectl("delete", "namespace", beside.namespace, "--ignore-not-found", "--wait=false");
    // The next file's is applied anew, by no release.
    await context.kubectl("delete", "crd", DEFINITION, "--ignore-not-found", "--wait");
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  /** As an administrator has them, in a file. */
  async function valuesFile({ gearmand, release }: Installation, image: string, more: object = {}): Promise<string> {
    const [repository, tag] = image.split(":");
    const file = join(directory, `${release}.json`);
    const values = { config: { gearman: { servers: [gearmand.address] } }, image: { repository, tag, pullPolicy: "Never" }, ...more };
    await writeFile(file, JSON.stringify(values));
    return file;
  }

  async function ownObjects(): Promise<string> {
    const columns =
      "custom-columns=K:.kind,N:.metadata.name,U:.metadata.uid,G:.metadata.generation,R:.status.containerStatuses[*].restartCount";
    const kinds = "deployment,pod,service,configmap,role,rolebinding,serviceaccount,lease,networkpolicy,job,testtask";
    return beside.kubectl("get", kinds, "--output", columns);
  }

  test("takes builds, as one of today's does beside it under the definition of then", TEST, async () => {
    const values = await valuesFile(upgraded, first.tag);
    await upgraded.helm("install", upgraded.release, first.chart, "--values", values, "--wait", "--timeout", "3m");
    assert.deepEqual([await definitionKnows("image"), await definitionKnows("checks")], [true, false]);
    const besideValues = await valuesFile(beside, context.image, { crds: { install: false } });
    await beside.helm(
      "install",
      beside.release,
      CHART,
      "--values",
      besideValues,
      "--set",
      "config.logs.store=none",
      "--wait",
      "--timeout",
      "3m",
    );
    await upgraded.serve();
    await beside.serve();
    [longBuild] = beside.launch(1, "end") as [ZuulBuild];
    await beside.allBegun();
    upgraded.launch(BUILDS, "first");
    await upgraded.allBegun();
    besideBefore = await ownObjects();
  });

  test("is upgraded to today's under 30 builds: none is lost, none runs twice, and the definition is today's", TEST, async () => {
    const running = [...upgraded.builds];
    const image = ["--set", `image.tag=${context.image.split(":")[1]}`, "--set", "config.logs.store=none"];
    // It takes the defaults of then.
    await assert.rejects(
      upgraded.helm("upgrade", upgraded.release, CHART, "--reuse-values", ...image, "--dry-run"),
      /missing properties 'replicas'/,
    );
    // The values of before, and the defaults of now for what is new.
    await upgraded.helm("upgrade", upgraded.release, CHART, "--reset-then-reuse-values", ...image, "--wait", "--timeout", "3m");
    assert.equal(await definitionKnows("checks"), true);
    await context.apply({
      ...{ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "checked" } },
      spec: { image: context.image, script: "exit 0", checks: [CHECK] },
    });
    const later = upgraded.launch(5, "first");
    await upgraded.allBegun();
    await upgraded.gates.open("first");
    await upgraded.expectAnswers([...running, ...later]);
  });

  test("changed under 30 builds, and rolled back to the revision before under them and 5 more, loses none", TEST, async () => {
    const running = upgraded.launch(BUILDS, "second");
    await upgraded.allBegun();
    const change = ["--reuse-values", "--set", "config.maxBuilds=99"];
    await upgraded.helm("upgrade", upgraded.release, CHART, ...change, "--wait", "--timeout", "3m");
    const later = upgraded.launch(5, "second");
    await upgraded.allBegun();
    await upgraded.helm("rollback", upgraded.release, "2", "--wait", "--timeout", "3m");
    const last = upgraded.launch(5, "second");
    await upgraded.allBegun();
    await upgraded.gates.open("second");
    await upgraded.expectAnswers([...running, ...later, ...last]);
  });

  test("goes back to the first chart as the documentation says: what runs ends before, what comes meanwhile waits", TEST, async () => {
    const running = upgraded.launch(BUILDS, "third");
    await upgraded.allBegun();
    await upgraded.kubectl("scale", "deployment/th-turbo-hipster", "--replicas=0");
    await waitUntil("nobody to take builds", LIMIT_MS, async () => {
      const lease = await upgraded.kubectl("get", "lease", upgraded.release, "--output", "jsonpath={.spec.holderIdentity}");
      return lease === "";
    });
    const waiting = upgraded.launch(5, "fourth");
    await upgraded.gates.open("third");
    await Promise.all(running.map((build) => build.completed));
    await upgraded.kubectl("wait", "--for=delete", "pod", "--selector", "app.kubernetes.io/instance=th", "--timeout=3m");
    await upgraded.helm("rollback", upgraded.release, "1", "--wait", "--timeout", "3m");
    assert.deepEqual([await definitionKnows("checks"), await checksOf("checked")], [false, ""]);
    await upgraded.allBegun();
    await upgraded.gates.open("fourth");
    await upgraded.expectAnswers([...running, ...waiting]);
  });

  test("is upgraded again: what the definition of then did not know is gone from the tasks for good", TEST, async () => {
    const image = ["--set", `image.tag=${context.image.split(":")[1]}`, "--set", "config.logs.store=none"];
    await upgraded.helm("upgrade", upgraded.release, CHART, "--reset-then-reuse-values", ...image, "--wait", "--timeout", "3m");
    assert.deepEqual([await definitionKnows("checks"), await checksOf("checked")], [true, ""]);
  });

  test("has done nothing to the release beside it, whose builds went on all the while", TEST, async () => {
    assert.equal(await ownObjects(), besideBefore);
    const build = beside.launch(1, "open");
    await beside.gates.open("open");
    await beside.gates.open("end");
    await beside.expectAnswers([longBuild, ...build]);
  });
});
