import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { installationSelector, RECORDED_LABEL } from "../../src/core/kubernetes/labels.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { imageValues } from "../support/chart/image-values.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { type GatedTests, gatedParameters, makeGatedTests } from "../support/gated-tests.ts";
import { startGeard } from "../support/gearman/geard.ts";
import { adminStatus, type GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulBuild, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const CHART = join(import.meta.dirname, "../../charts/turbo-hipster");
const RELEASE = "th";
const OPERATOR_PODS = `app.kubernetes.io/instance=${RELEASE}`;
const LIMIT_MS = 90_000;
const TEST = { timeout: 240_000 };
/** Of each server. */
const BUILDS = 5;

const context = useTestCluster("uninstall");

describe("a release under ten builds, half of them of each server,", () => {
  const servers: GearmanServer[] = [];
  const launchers: ZuulLauncher[] = [];
  let gates: GatedTests;
  let launched = 0;

  const kubectl = (...args: string[]) => context.kubectl("--namespace", context.namespace, ...args);
  const names = (text: string) => text.split("\n").filter((name) => name !== "");

  before(async () => {
    gates = await makeGatedTests(["stopped", "uninstalled"]);
    const listen = context.cluster.hostAddress;
    servers.push(await startGearmand({ listen }), await startGeard({ listen }));
    const spec = { ...gates.taskSpec(context.image), checkout: { enabled: false } };
    await context.apply({ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "gated" }, spec });
    const values = [
      ...[`config.gearman.servers={${servers.map(({ address }) => address).join()}}`, "config.logs.store=none", "config.drain=2m"],
      ...["crds.install=false", ...imageValues(context.image), "image.pullPolicy=Never"],
    ];
    await context.helm("install", RELEASE, CHART, ...values.flatMap((value) => ["--set", value]));
    for (const { address } of servers) {
      await waitUntil(`the job at ${address}`, LIMIT_MS, async () => ((await adminStatus(address)).get("build:gated")?.workers ?? 0) > 0);
      launchers.push(await startZuulLauncher({ server: address }));
    }
  });
  after(async () => {
    for (const launcher of launchers) await launcher.stop();
    await context.helm("uninstall", RELEASE, "--ignore-not-found");
    for (const server of servers) await server.stop();
    await gates?.[Symbol.asyncDispose]();
  });

  /** Builds whose tests have begun, and wait at `gate`. */
  async function launch(gate: string): Promise<ZuulBuild[]> {
    const builds = launchers.flatMap((launcher) =>
      Array.from({ length: BUILDS }, () => {
        const index = launched++;
        const params = gatedParameters({ index, gate, exitCode: 0, text: "" });
        return launcher.launch({ job: "gated", item: { kind: "change", number: 1000 + index }, params });
      }),
    );
    await waitUntil("the tests to begin", LIMIT_MS, async () => (await gates.starts()).length === launched);
    return builds;
  }

  /** Each was launched once, and ran once. */
  async function expectAnswers(builds: readonly ZuulBuild[]): Promise<void> {
    const completed = await Promise.all(builds.map((build) => build.completed));
    assert.deepEqual(
      completed.map(({ result, attempts }) => `${result} ${attempts}`),
      builds.map(() => "SUCCESS 1"),
    );
    assert.equal((await gates.starts()).length, launched);
  }

  /** All objects of the namespace but those that every one has. */
  async function left(): Promise<string[]> {
    const kinds = names(await context.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name"));
    const all = names(await kubectl("get", kinds.join(), "--ignore-not-found", "--output=name"));
    return all.filter(
      (name) => !/^(configmap\/kube-root-ca.crt|serviceaccount\/default|event.*|testtask.turbo-hipster.io\/gated)$/.test(name),
    );
  }

  test("told to stop first, as the README says, answers for each of them and writes it down", TEST, async () => {
    const builds = await launch("stopped");
    await kubectl("scale", "deployment/th-turbo-hipster", "--replicas=0");
    await gates.open("stopped");
    await expectAnswers(builds);
    await kubectl("wait", "--for=delete", "pod", "--selector", OPERATOR_PODS, "--timeout=2m");
    const recorded = names(await kubectl("get", "jobs", "--selector", RECORDED_LABEL, "--output=name"));
    assert.equal(recorded.length, builds.length);
    assert.deepEqual(names(await kubectl("get", "leases", "--output=name")), [`lease.coordination.k8s.io/${RELEASE}`]);
  });

  test("uninstalled without that answers for those that end soon, and leaves what the README tells how to remove", TEST, async () => {
    await kubectl("scale", "deployment/th-turbo-hipster", "--replicas=2");
    const builds = await launch("uninstalled");
    await context.helm("uninstall", RELEASE);
    await gates.open("uninstalled");
    await expectAnswers(builds);
    // It would try to write them down for some minutes more.
    await kubectl("delete", "pods", "--selector", OPERATOR_PODS, "--grace-period=0", "--force");
    await waitUntil("the release's objects to be gone", LIMIT_MS, async () => {
      const others = (await left()).filter((name) => !/^(pod|job.batch)\/gated-/.test(name) && !/^lease.*\/th(-|$)/.test(name));
      return others.join() === "configmap/th-functions";
    });
    const readme = await readFile(join(CHART, "README.md"), "utf8");
    const kinds = /^`kubectl delete ([a-z,]+) -l turbo-hipster\.io\/installation=/m.exec(readme)?.[1] ?? "";
    await kubectl("delete", kinds, "--selector", installationSelector(RELEASE), "--wait");
    await waitUntil("the pods to go with their Jobs", LIMIT_MS, async () => (await left()).length === 0);
  });
});
