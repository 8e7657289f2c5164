import assert from "node:assert/strict";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { clusterPaths } from "../../deploy/local/cluster-paths.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { imageValues } from "../support/chart/image-values.ts";
import { auditedRights, grantedRights } from "../support/cluster/audited-rights.ts";
import { claimVolume } from "../support/cluster/claim-volume.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { adminStatus, type GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const CHART = join(import.meta.dirname, "../../charts/turbo-hipster");
const RELEASE = "every";
const FULL_NAME = `${RELEASE}-turbo-hipster`;
const CLUSTER_ROLE = "turbo-hipster-everywhere";
const LIMIT_MS = 60_000;

/** The release's namespace is the context's own. */
const context = useTestCluster("every");

const kubectl = (...args: string[]) => context.kubectl("--namespace", context.namespace, ...args);
const set = (values: readonly string[]) => values.flatMap((value) => ["--set", value]);
const lines = (text: string) => text.split("\n").filter((line) => line !== "");

describe("a release that serves every namespace", () => {
  /** Of builds: one is there before the release, one comes after it. */
  let early: string;
  let late: string;
  /** Of the claim. */
  let files: string;
  let gearmand: GearmanServer;
  let zuul: ZuulLauncher;
  /** Of any release here. */
  let common: string[];

  before(async () => {
    [early, late] = [`${context.namespace}-early`, `${context.namespace}-late`];
    gearmand = await startGearmand({ listen: context.cluster.hostAddress });
    zuul = await startZuulLauncher({ server: gearmand.address, patient: true });
    await context.kubectl("create", "namespace", early);
    await context.applyTo(early, context.testTask("everywhere-early", "exit 0"));
    files = await mkdtemp(join(tmpdir(), "th-every-"));
    // A volume of this kind has no group of its own.
    await chmod(files, 0o777);
    await context.apply(claimVolume(context.namespace, `${FULL_NAME}-logs`, files));
    common = [
      ...[`config.gearman.servers={${gearmand.address}}`, "config.drain=2m", "crds.install=false", "replicas=1"],
      ...[...imageValues(context.image), "image.pullPolicy=Never"],
    ];
  });
  after(async () => {
    await zuul?.stop();
    for (const release of [RELEASE, "listed"]) await context.helm("uninstall", release, "--ignore-not-found", "--wait");
    await gearmand?.stop();
    await context.kubectl("delete", "persistentvolume", context.namespace, "--ignore-not-found", "--wait=false");
    if (early) await context.kubectl("delete", "namespace", early, late, "--ignore-not-found", "--wait=false");
    if (files) await rm(files, { recursive: true, force: true });
  });

  const everywhere = () =>
    set([...common, "config.namespaces={*}", `networkPolicy.builds.namespaces={${early}}`, "persistence.keep=false"]);

  async function untilServed(...jobs: string[]): Promise<void> {
    for (const job of jobs)
      await waitUntil(
        `${job} at gearmand`,
        LIMIT_MS,
        async () => ((await adminStatus(gearmand.address)).get(`build:${job}`)?.workers ?? 0) > 0,
      );
  }

  test("is refused beside one that lists namespaces, which it names", async () => {
    await context.helm("install", "listed", CHART, ...set([...common, "config.logs.store=none"]));
    const refusal = new RegExp(
      `config\\.namespaces is \\["\\*"\\], and the release listed of namespace ${context.namespace} serves namespaces`,
    );
    await assert.rejects(context.helm("install", RELEASE, CHART, ...everywhere()), refusal);
    await context.helm("uninstall", "listed", "--wait");
  });

  test("builds in a namespace that was there, and in one that comes later", async () => {
    const notes = await context.helm("install", RELEASE, CHART, ...everywhere(), "--wait", "--timeout", "2m");
    assert.match(notes, /for the TestTasks of every namespace\./);
    await context.kubectl("create", "namespace", late);
    await context.applyTo(late, context.testTask("everywhere-late", "exit 0"));
    for (const [job, namespace] of [
      ["everywhere-early", early],
      ["everywhere-late", late],
    ] as const) {
      await untilServed(job);
      const { result, number } = await zuul.launch({ job }).completed;
      assert.equal(result, "SUCCESS");
      assert.equal(await context.kubectl("get", "job", String(number), "--namespace", namespace, "--output=name"), `job.batch/${number}\n`);
    }
    const own = await context.kubectl(
      ...["get", "leases,configmaps", "--all-namespaces", "--selector", `turbo-hipster.io/installation=${RELEASE}`],
      ...["--output", 'jsonpath={range .items[*]}{.metadata.namespace}{"\\n"}{end}'],
    );
    assert.deepEqual(new Set(lines(own)), new Set([context.namespace]));
    const policies = await context.kubectl(
      ...["get", "networkpolicies", "--all-namespaces", "--selector", `app.kubernetes.io/instance=${RELEASE}`],
      ...["--output", 'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\\n"}{end}'],
    );
    assert.deepEqual(lines(policies), [`${early}/${FULL_NAME}-builds`]);
  });

  for (const [other, values] of [
    ["a second one like it", ["config.namespaces={*}", "networkPolicy.builds.enabled=false"]],
    ["one that lists namespaces", ["config.namespaces={default}"]],
    ["one that asks for no right of the cluster", ["config.namespaces={default}", "config.logs.store=none", "rbac.aggregate=false"]],
  ] as const) {
    test(`has ${other} refused, by its own name`, async () => {
      await assert.rejects(
        context.helm("install", "second", CHART, ...set([...common, ...values])),
        new RegExp(`the release ${RELEASE} of namespace ${context.namespace} serves every namespace of this cluster`),
      );
    });
  }

  test("is upgraded: it is not in its own way", async () => {
    const notes = await context.helm(
      "upgrade",
      RELEASE,
      CHART,
      ...everywhere(),
      ...set(["config.log.level=debug"]),
      "--wait",
      "--timeout",
      "2m",
    );
    assert.match(notes, /for the TestTasks of every namespace\./);
  });

  test("masks, keeps artifacts, stops what has not started, what runs and what takes no notice, and says what a task's keeper must know", async () => {
    const template = (spec: object) => ({ template: { spec: { containers: [{ name: "test" }], ...spec } } });
    const env = [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } }];
    const artifacts = { paths: ["*.txt"] };
    const unheeding = "trap '' TERM; echo so far > left.txt; echo begins; while :; do sleep 1; done";
    await context.applyTo(
      late,
      { apiVersion: "v1", kind: "Secret", metadata: { name: "db" }, stringData: { password: "correct-horse" } },
      context.testTask("everywhere-masked", 'echo "it is $PASSWORD" | tee left.txt', { env, artifacts }),
      context.testTask("everywhere-nowhere", "exit 0", template({ nodeSelector: { nowhere: "yes" } })),
      context.testTask("everywhere-unheeding", unheeding, {
        artifacts,
        timeouts: { collect: "10m" },
        ...template({ terminationGracePeriodSeconds: 3 }),
      }),
    );
    await untilServed("everywhere-masked", "everywhere-nowhere", "everywhere-unheeding");
    const inLate = (...args: string[]) => context.kubectl("--namespace", late, ...args);
    const { result, number } = await zuul.launch({ job: "everywhere-masked" }).completed;
    assert.equal(result, "SUCCESS");
    const stored = ["get", "job", String(number), "--output", "jsonpath={.metadata.annotations.turbo-hipster\\.io/stored}"];
    const isStored = async () => /directory/.test(await inLate(...stored));
    await waitUntil("all of it on the claim", LIMIT_MS, isStored);
    const [unplaced, running] = [zuul.launch({ job: "everywhere-nowhere" }), zuul.launch({ job: "everywhere-unheeding" })];
    const [nowhere, begun] = [(await unplaced.started).number, (await running.started).number];
    await waitUntil("one's log to begin", LIMIT_MS, async () => /begins/.test(await inLate("logs", `job/${begun}`).catch(() => "")));
    await Promise.all([unplaced.cancel(), running.cancel()]);
    await waitUntil("both to be over", LIMIT_MS, async () => {
      const jobs = lines(await inLate("get", "jobs", "--output", "name"));
      const pods = await inLate("get", "pods", "--selector", `job-name=${begun}`, "--output", "name");
      return !jobs.includes(`job.batch/${nowhere}`) && pods === "";
    });
    await inLate("patch", "testtask", "everywhere-nowhere", "--type=merge", '--patch={"spec":{"suspend":true}}');
    const about = "involvedObject.kind=TestTask,involvedObject.name=everywhere-nowhere,reason=Suspended";
    await waitUntil("the event", LIMIT_MS, async () => /Suspended/.test(await inLate("get", "events", "--field-selector", about)));
  });

  test("doctor, in its pod, finds that it has the rights of the whole cluster, and its own in its namespace", async () => {
    const inOperator = ["exec", `deployment/${FULL_NAME}`, "--container", "operator", "--"];
    const text = await kubectl(...inOperator, "turbo-hipster", "doctor", "--json");
    const { findings } = JSON.parse(text) as { findings: { what: string; state: string }[] };
    const rights = findings.filter(({ what }) => what.startsWith("rights")).map(({ what, state }) => `${state} ${what}`);
    assert.deepEqual(rights, ["ok rights, cluster", `ok rights in ${context.namespace}`]);
  });

  test("its account has used each right that it has, and was refused nothing", async () => {
    const read = async (...of: string[]) => grantedRights(JSON.parse(await kubectl("get", ...of, "--output", "json")));
    const granted = (await read("clusterrole", CLUSTER_ROLE)).union(await read("role", FULL_NAME));
    // As in chart.test.ts: what happens again is counted after a minute; what everybody may ask about himself.
    const counting = "patch /events";
    const ofEverybody = ["create authentication.k8s.io/selfsubjectreviews", "create authorization.k8s.io/selfsubjectaccessreviews"];
    const audited = () =>
      auditedRights(clusterPaths(context.cluster.name).auditLog, `system:serviceaccount:${context.namespace}:${FULL_NAME}`);
    const isEachUsed = async () => granted.isSubsetOf((await audited()).used.union(new Set([counting])));
    await waitUntil("each to be used", LIMIT_MS, isEachUsed).catch(() => {});
    const { used, refused } = await audited();
    assert.deepEqual(refused, []);
    assert.deepEqual(used.difference(new Set(ofEverybody)).union(new Set([counting])), granted);
  });

  test("stops to serve a namespace that is deleted, and no other", async () => {
    await context.kubectl("delete", "namespace", late);
    await waitUntil("its jobs to be answered for no more", LIMIT_MS, async () => {
      const { result } = await zuul.launch({ job: "everywhere-late" }).completed;
      return /^CONFIG_ERROR/.test(result);
    });
    assert.equal((await zuul.launch({ job: "everywhere-early" }).completed).result, "SUCCESS");
  });

  test("uninstalled, it leaves no rights in the cluster, and the TestTasks of others", async () => {
    await kubectl("scale", `deployment/${FULL_NAME}`, "--replicas", "0");
    await kubectl("wait", "--for=delete", "pod", "--selector", `app.kubernetes.io/instance=${RELEASE}`, "--timeout", "2m");
    await context.helm("uninstall", RELEASE, "--wait", "--cascade", "foreground");
    const rights = ["clusterroles,clusterrolebindings,roles,rolebindings,networkpolicies", "--all-namespaces"];
    const left = () => context.kubectl("get", ...rights, "--selector", `app.kubernetes.io/instance=${RELEASE}`, "--output=name");
    assert.equal(await left(), "");
    assert.equal(await context.kubectl("get", "clusterrole", CLUSTER_ROLE, "--ignore-not-found"), "");
    assert.match(await context.kubectl("get", "testtasks", "--namespace", early, "--output=name"), /everywhere-early/);
  });
});
