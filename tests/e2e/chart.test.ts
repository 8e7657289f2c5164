import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { clusterPaths } from "../../deploy/local/cluster-paths.ts";
import { parseTestTask } from "../../src/core/test-task/test-task.ts";
import { CommandError } from "../../tools/machine/run-command.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { imageValues } from "../support/chart/image-values.ts";
import { auditedRights, grantedRights } from "../support/cluster/audited-rights.ts";
import { claimVolume } from "../support/cluster/claim-volume.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { startGeard } from "../support/gearman/geard.ts";
import { adminStatus, type GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { startPrometheus } from "../support/prometheus/prometheus.ts";
import { startZuulLauncher, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const ROOT = join(import.meta.dirname, "../..");
const CHART = join(ROOT, "charts/turbo-hipster");
const RELEASE = "th";
const DEPLOYMENT = "th-turbo-hipster";
const CLAIM = `${DEPLOYMENT}-logs`;
const LIMIT_MS = 60_000;
/** What a replica is waited for that was told to stop, should its builds never end: a test that fails must not take an hour. */
const DRAIN = "2m";

const context = useTestCluster("chart");

function kubectl(...args: string[]): Promise<string> {
  return context.kubectl("--namespace", context.namespace, ...args);
}

interface Replica {
  name: string;
  address: string;
  isReady: boolean;
  /** It was told to stop, and ends its builds. */
  isEnding: boolean;
}

interface PodList {
  items: {
    metadata: { name: string; deletionTimestamp?: string };
    status: { podIP?: string; conditions?: { type: string; status: string }[] };
  }[];
}

async function replicas(): Promise<Replica[]> {
  const { items }: PodList = JSON.parse(
    await kubectl("get", "pods", "--selector", `app.kubernetes.io/instance=${RELEASE}`, "--output", "json"),
  );
  return items.map(({ metadata, status }) => ({
    name: metadata.name,
    address: status.podIP ?? "",
    isReady: status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false,
    isEnding: metadata.deletionTimestamp !== undefined,
  }));
}

/** The name of the pod that holds the Lease, "" when none does. */
async function holder(): Promise<string> {
  const identity = await kubectl("get", "lease", RELEASE, "--ignore-not-found", "--output", "jsonpath={.spec.holderIdentity}");
  return identity.replace(/-[0-9a-f]+$/, "");
}

/** Both replicas, once there are no others and one of them takes builds. */
async function settledReplicas(): Promise<{ taking: Replica; standing: Replica; all: Replica[] }> {
  let all: Replica[] = [];
  let taking: Replica | undefined;
  await waitUntil("two replicas, one of which takes builds", 3 * LIMIT_MS, async () => {
    all = await replicas();
    const name = await holder();
    taking = all.find((replica) => replica.name === name);
    return all.length === 2 && all.every(({ isReady, isEnding }) => isReady && !isEnding) && taking !== undefined;
  });
  const standing = all.find((replica) => replica !== taking);
  assert.ok(taking && standing);
  return { taking, standing, all };
}

/** The log of every replica that there is, ended ones not included. */
async function logs(): Promise<string> {
  const texts = await Promise.all((await replicas()).map(({ name }) => kubectl("logs", name)));
  return texts.join("");
}

async function leases(): Promise<string[]> {
  const names = await kubectl("get", "leases", "--selector", `turbo-hipster.io/installation=${RELEASE}`, "--output", "name");
  return names.split("\n").filter((name) => name !== "");
}

function account(): string {
  return `system:serviceaccount:${context.namespace}:${DEPLOYMENT}`;
}

async function serviceAddress(name: string): Promise<string> {
  return kubectl("get", "service", name, "-o", "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}");
}

/** Lets the test of "waits" come to its end. */
async function release(number: unknown): Promise<void> {
  try {
    await kubectl("exec", `job/${number}`, "--", "touch", "/tmp/go");
  } catch (error) {
    // The container may end, and everything in it be killed, before `touch` was seen to end.
    if (!(error instanceof CommandError) || error.exitCode !== 137) throw error;
  }
}

describe("the chart on a cluster", () => {
  /** Of the claim. */
  let files: string;
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
    await context.apply(
      context.testTask("hello", 'echo "this is $TH_JOB_NAME"'),
      context.testTask("waits", "echo begins; until [ -e /tmp/go ]; do sleep 0.1; done; echo ends"),
    );
    files = await mkdtemp(join(tmpdir(), "th-chart-"));
    // A volume of this kind has no group of its own.
    await chmod(files, 0o777);
    await context.apply(claimVolume(context.namespace, CLAIM, files));
    values = [
      ...["--values", join(ROOT, "deploy/examples/values-local.yaml"), "--set", "config.logs.store=files"],
      ...["--set", `config.gearman.servers={${gearmand.address},${geard.address}}`, "--set", `config.drain=${DRAIN}`],
      ...imageValues(context.image).flatMap((value) => ["--set", value]),
    ];
  });
  after(async () => {
    await zuul?.stop();
    await zuulOnGeard?.stop();
    await context.helm("uninstall", RELEASE, "--ignore-not-found", "--wait");
    await gearmand?.stop();
    await geard?.stop();
    await context.kubectl("delete", "persistentvolume", context.namespace, "--ignore-not-found", "--wait=false");
    if (files) await rm(files, { recursive: true, force: true });
  });

  /** What the claim has of a build, once all is there. */
  async function stored(number: unknown, file: string): Promise<string> {
    let directory: string | undefined;
    await waitUntil(`all of ${number} on the claim`, LIMIT_MS, async () => {
      const job = JSON.parse(await kubectl("get", "job", String(number), "--output", "json"));
      directory = JSON.parse(job.metadata.annotations?.["turbo-hipster.io/stored"] ?? "{}").directory;
      return directory !== undefined;
    });
    return readFile(join(files, String(directory), file), "utf8");
  }

  test("what it makes with all that is off by default, and the manifests made of it, are what the API server takes", async () => {
    const config = { gearman: { servers: [gearmand.address] }, logs: { store: "s3", bucket: "any" } };
    const all = {
      ...{ config, crds: { install: false }, commonLabels: { team: "ci" } },
      ...{ ingress: { enabled: true, host: "builds.example.org", tls: { enabled: true } } },
      gearmand: { enabled: true, clients: [{ namespaceSelector: {} }, { ipBlock: { cidr: "192.0.2.7/32" } }] },
      networkPolicy: { podRanges: ["10.0.0.0/8"], operator: { enabled: true, metricsFrom: [{ namespaceSelector: {} }] } },
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" }],
      extraEnvFrom: [{ secretRef: { name: "a" } }],
      extraContainers: [
        { name: "beside", image: "a:1", securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } } },
      ],
    };
    const given = ["--values", join(ROOT, "deploy/examples/tls/values.yaml"), "--values", join(files, "all.json")];
    await writeFile(join(files, "all.json"), JSON.stringify(all));
    await writeFile(join(files, "all.yaml"), await context.helm("template", "all", CHART, ...given));
    const taken = await kubectl("apply", "--dry-run=server", "--validate=strict", "--filename", join(files, "all.yaml"));
    const manifests = await readFile(join(ROOT, "deploy/manifests/turbo-hipster.yaml"), "utf8");
    const objects = parseAllDocuments(manifests).map((document) => document.toJS());
    // Into a namespace that is there: a dry run makes none.
    const moved = objects.map(({ metadata, ...rest }) => ({ ...rest, metadata: { ...metadata, namespace: undefined } }));
    await writeFile(join(files, "all.yaml"), JSON.stringify({ apiVersion: "v1", kind: "List", items: moved }));
    const applied = await kubectl("apply", "--dry-run=server", "--validate=strict", "--filename", join(files, "all.yaml"));
    assert.equal(applied.trim().split("\n").length, objects.length);
    await rm(join(files, "all.json"));
    await rm(join(files, "all.yaml"));
    for (const kind of ["deployment.apps", "ingress.networking.k8s.io", "networkpolicy.networking.k8s.io"])
      assert.match(taken, new RegExp(`^${kind}/all-turbo-hipster created \\(server dry run\\)$`, "m"));
    assert.doesNotMatch(taken, /Warning/);
  });

  test("helm installs it, and says what to do next", async () => {
    // The definition is there already, as kubectl applied it.
    const notes = await context.helm("install", RELEASE, CHART, ...values, "--take-ownership", "--wait", "--timeout", "2m");
    assert.match(notes, new RegExp(`takes builds from ${gearmand.address}, ${geard.address}`));
    const shown = /<<'END'\n(.*?)\n {2}END\n/s.exec(notes)?.[1]?.replace(/^ {2}/gm, "");
    const parsed = parseTestTask(parse(shown ?? ""), { strictMetadata: true });
    assert.ok(parsed.ok, JSON.stringify(parsed));
    assert.match(notes, new RegExp(`-n ${context.namespace} get lease ${RELEASE}\n`));
    for (const { address } of [gearmand, geard]) {
      await waitUntil(`the jobs at ${address}`, LIMIT_MS, async () => ((await adminStatus(address)).get("build:hello")?.workers ?? 0) > 0);
    }
    zuul = await startZuulLauncher({ server: gearmand.address });
    zuulOnGeard = await startZuulLauncher({ server: geard.address });
  });

  test("a second release that would install the definition too is refused", async () => {
    await assert.rejects(
      context.helm("install", "second", CHART, ...values),
      /testtasks\.turbo-hipster\.io.*cannot be imported into the current release/s,
    );
  });

  test("two replicas are ready and register its jobs; one of them holds the Lease and takes builds, the other stands by", async () => {
    const { taking, standing } = await settledReplicas();
    const readyz = async ({ address }: Replica) => (await fetch(`http://${address}:8081/readyz`)).text();
    assert.match(await readyz(taking), /^ok, takes builds\n/);
    assert.match(await readyz(standing), /^ok, stands by\n/);
    // Each replica's registrar, and the one that takes builds.
    for (const { address } of [gearmand, geard]) {
      await waitUntil(`three workers at ${address}`, LIMIT_MS, async () => (await adminStatus(address)).get("build:hello")?.workers === 3);
    }
    assert.equal((await leases()).length, 3, "the holder's, and one of each replica");
    assert.equal(await kubectl("get", "poddisruptionbudgets", "--output", "name"), "", "none, as their claim holds both to one node");
  });

  test("each Service leads to its own pages", async () => {
    const [pages, internal] = [await serviceAddress(DEPLOYMENT), await serviceAddress(`${DEPLOYMENT}-internal`)];
    assert.equal((await fetch(`http://${internal}/readyz`)).status, 200);
    assert.equal((await fetch(`http://${pages}/readyz`)).status, 404);
  });

  test("the operator may read single Secrets, but list none, nor reach into another namespace", async () => {
    const mayI = (...question: string[]) =>
      context.kubectl("auth", "can-i", ...question, "--as", account()).catch((error: Error) => error.message);
    assert.match(await mayI("create", "jobs.batch", "--namespace", context.namespace), /^yes/);
    assert.match(await mayI("get", "secrets", "--namespace", context.namespace), /^yes/);
    assert.match(await mayI("list", "secrets", "--namespace", context.namespace), /^no$/m);
    assert.match(await mayI("get", "secrets", "--namespace", "default"), /^no$/m);
    assert.match(await mayI("list", "testtasks.turbo-hipster.io", "--namespace", "default"), /^no$/m);
    assert.match(await mayI("list", "pods", "--all-namespaces"), /^no$/m);
  });

  test("who may view a namespace may read its TestTasks, and who may edit it may write them", async () => {
    for (const [role, question, answer] of [
      ["view", "list", "yes"],
      ["view", "create", "no"],
      ["edit", "create", "yes"],
    ] as const) {
      const user = `${context.namespace}-${role}`;
      const binding = await kubectl(
        "create",
        "rolebinding",
        role,
        "--clusterrole",
        role,
        "--user",
        user,
        "--dry-run=client",
        "--output=json",
      );
      await context.apply(JSON.parse(binding));
      await waitUntil(`${role} to be allowed ${question}: ${answer}`, LIMIT_MS, async () => {
        const said = await kubectl("auth", "can-i", question, "testtasks.turbo-hipster.io", "--as", user).catch(String);
        return new RegExp(`^${answer}$`, "m").test(said);
      });
      await kubectl("delete", "rolebinding", role);
    }
  });

  test("a build goes through it, from either Gearman server", async () => {
    for (const launcher of [zuul, zuulOnGeard]) {
      const completed = await launcher.launch({ job: "hello" }).completed;
      assert.deepEqual([completed.result, completed.attempts], ["SUCCESS", 1]);
      assert.match(completed.url ?? "", /\/builds\/hello-[0-9a-f]{16}$/);
      assert.equal(await stored(completed.number, "console.log"), "this is hello\n");
    }
    await waitUntil("the status of the TestTask", LIMIT_MS, async () => / True +True +SUCCESS /.test(await kubectl("get", "tt", "hello")));
  });

  async function isServed(name: string): Promise<void> {
    await waitUntil(`${name}'s job`, LIMIT_MS, async () => ((await adminStatus(gearmand.address)).get(`build:${name}`)?.workers ?? 0) > 0);
  }

  test("what a test leaves comes to the claim by the internal Service, at the address that the chart gives collectors", async () => {
    const task = context.testTask("leaves", "echo kept > left.txt", { artifacts: { paths: ["*.txt"] } });
    await context.apply(task);
    await isServed("leaves");
    const { result, number } = await zuul.launch({ job: "leaves" }).completed;
    assert.equal(result, "SUCCESS");
    assert.equal(await stored(number, "artifacts/left.txt"), "kept\n");
  });

  test("a Secret's value is masked, and builds are stopped that have not started, that run, and that take no notice", async () => {
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "db" }, stringData: { password: "correct-horse" } };
    const env = [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } }];
    const nowhere = { spec: { nodeSelector: { nowhere: "yes" }, containers: [{ name: "test" }] } };
    const spec = { terminationGracePeriodSeconds: 3, containers: [{ name: "test" }] };
    const unheeding = "trap '' TERM; echo so far > left.txt; echo begins; while :; do sleep 1; done";
    await context.apply(
      ...[
        secret,
        context.testTask("masked", 'echo "it is $PASSWORD"', { env }),
        context.testTask("nowhere", "exit 0", { template: nowhere }),
      ],
      context.testTask("unheeding", unheeding, { template: { spec }, artifacts: { paths: ["*.txt"] }, timeouts: { collect: "10m" } }),
    );
    for (const name of ["masked", "nowhere", "unheeding"]) await isServed(name);
    // Zuul remembers for five seconds what was not registered.
    await using patient = await startZuulLauncher({ server: gearmand.address, patient: true });
    const { result, number } = await patient.launch({ job: "masked" }).completed;
    assert.equal(result, "SUCCESS");
    assert.doesNotMatch(await stored(number, "console.log"), /correct-horse/);
    const [unplaced, running] = [patient.launch({ job: "nowhere" }), patient.launch({ job: "unheeding" })];
    const jobs = await Promise.all([unplaced.started, running.started].map(async (started) => `job/${(await started).number}`));
    await waitUntil("the log of one to begin", LIMIT_MS, async () => /begins/.test(await kubectl("logs", String(jobs[1])).catch(() => "")));
    await Promise.all([unplaced.cancel(), running.cancel()]);
    await waitUntil("both to be over", LIMIT_MS, async () => {
      const names = (await kubectl("get", "jobs", "--output", "name")).split("\n");
      const pods = await kubectl("get", "pods", "--selector", `job-name=${jobs[1]?.slice("job/".length)}`, "--output", "name");
      return !names.includes(`job.batch/${jobs[0]?.slice("job/".length)}`) && pods === "";
    });
  });

  test("a task that is suspended and goes on has events of both", async () => {
    const suspend = (value: boolean) => kubectl("patch", "testtask", "hello", "--type=merge", `--patch={"spec":{"suspend":${value}}}`);
    const ready = () => kubectl("get", "tt", "hello", "--output", 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}');
    for (const [isSuspended, reason] of [
      [true, "Suspended"],
      [false, "Serving"],
    ] as const) {
      await suspend(isSuspended);
      await waitUntil(`Ready to be so for ${reason}`, LIMIT_MS, async () => (await ready()) === reason);
    }
    const about = "involvedObject.kind=TestTask,involvedObject.name=hello,reason=Suspended";
    await waitUntil("the event", LIMIT_MS, async () => /Suspended/.test(await kubectl("get", "events", "--field-selector", about)));
  });

  test("its metrics count those builds, and the signal in the documentation makes it log debug lines", async () => {
    const { all } = await settledReplicas();
    const counts = await Promise.all(
      all.map(async ({ address }) => {
        const metrics = await (await fetch(`http://${address}:8081/metrics`)).text();
        const count = new RegExp(`^turbo_hipster_builds_total\\{task="${context.namespace}/hello",class="success"\\} (\\d+)$`, "m");
        return Number(count.exec(metrics)?.[1] ?? 0);
      }),
    );
    assert.equal(Math.max(...counts), 2, `${counts}`);
    const command = /exec \$pod -- sh -c '(.+)'/.exec(await readFile(join(ROOT, "docs/metrics.md"), "utf8"))?.[1] ?? "";
    for (const { name } of all) {
      await kubectl("exec", name, "--", "sh", "-c", command);
      await waitUntil("the new level", LIMIT_MS, async () => /"logLevel":"debug"/.test(await kubectl("logs", name)));
    }
  });

  test("nothing that it asked the API server for was forbidden", async () => {
    const log = await logs();
    assert.match(log, /takes builds/);
    assert.deepEqual(
      log.split("\n").filter((line) => /forbidden/i.test(line)),
      [],
    );
  });

  /** Builds through both servers whose tests run until they are released. */
  async function startBuilds() {
    const builds = [zuul, zuulOnGeard].map((launcher) => launcher.launch({ job: "waits" }));
    const pods: string[] = [];
    for (const build of builds) {
      const { number } = await build.started;
      await build.waitFor("update", ({ numerator }) => numerator === "4");
      pods.push(await kubectl("get", "pods", "-l", `job-name=${number}`, "-o", "name"));
    }
    return { builds, pods };
  }

  /** Lets them end, and tells how often Zuul has launched each of them; they have run in the pods that they began in. */
  async function endBuilds({ builds, pods }: Awaited<ReturnType<typeof startBuilds>>): Promise<number[]> {
    const attempts: number[] = [];
    for (const [index, build] of builds.entries()) {
      const { number } = await build.started;
      await release(number);
      const completed = await build.completed;
      assert.deepEqual([completed.result, completed.number], ["SUCCESS", number]);
      assert.equal(await kubectl("get", "pods", "-l", `job-name=${number}`, "-o", "name"), pods[index]);
      assert.equal(await stored(number, "console.log"), "begins\nends\n");
      attempts.push(completed.attempts);
    }
    return attempts;
  }

  async function runsAtOnce(): Promise<void> {
    for (const launcher of [zuul, zuulOnGeard]) {
      const { result, attempts } = await launcher.launch({ job: "hello" }).completed;
      assert.deepEqual([result, attempts], ["SUCCESS", 1]);
    }
  }

  test("the pod that takes builds is deleted: the other takes over at once, and both servers' builds end where they began", async () => {
    const { taking, standing } = await settledReplicas();
    const running = await startBuilds();
    await kubectl("delete", "pod", taking.name, "--wait=false");
    // A Lease that runs out takes 15 s.
    await waitUntil("the other to hold the Lease", 10_000, async () => (await holder()) === standing.name);
    await runsAtOnce();
    assert.deepEqual(
      (await replicas()).filter(({ isEnding }) => isEnding).map(({ name }) => name),
      [taking.name],
      "it answers for its builds still",
    );
    assert.deepEqual(await endBuilds(running), [1, 1]);
    await waitUntil("its end", LIMIT_MS, async () => !(await replicas()).some(({ name }) => name === taking.name));
    assert.equal((await settledReplicas()).taking.name, standing.name);
    await waitUntil("its own Lease to be gone", LIMIT_MS, async () => (await leases()).length === 3);
  });

  test("an upgrade replaces both under running builds, and its jobs never leave Zuul's Gearman server meanwhile", async () => {
    const before = await settledReplicas();
    const running = await startBuilds();
    const workers: number[] = [];
    let isOver = false;
    const upgrade = context
      .helm("upgrade", RELEASE, CHART, ...values, "--set", "config.drain=0s", "--wait", "--timeout", "2m")
      .finally(() => {
        isOver = true;
      });
    await waitUntil("the upgrade", 3 * LIMIT_MS, async () => {
      workers.push((await adminStatus(geard.address)).get("build:hello")?.workers ?? 0);
      return isOver;
    });
    await upgrade;
    assert.ok(Math.min(...workers) > 0, `workers of the job, over time: ${workers.join()}`);
    await runsAtOnce();
    assert.deepEqual(await endBuilds(running), [1, 1]);
    const { all } = await settledReplicas();
    assert.deepEqual(
      all.filter(({ name }) => before.all.some((old) => old.name === name)),
      [],
    );
  });

  test("helm test says whether builds' pods reach the operator, and whether its jobs are registered", async () => {
    const said = await context.helm("test", RELEASE, "--timeout", "2m");
    assert.match(said, /Phase: +Succeeded/);
    assert.match(await kubectl("get", "pods", "--output", "name"), /^(?!.*-test$)/m);
  });

  test("doctor, in the operator's pod, finds all well but the pages' address, which is not set here, and its canary is a build", async () => {
    const text = await kubectl(
      "exec",
      `deployment/${DEPLOYMENT}`,
      "--container",
      "operator",
      "--",
      "turbo-hipster",
      "doctor",
      "--json",
      "--canary",
      "hello",
    );
    const { findings } = JSON.parse(text) as { findings: { what: string; state: string; says: string }[] };
    const amiss = findings.filter(({ state }) => state !== "ok" && state !== "unseen");
    assert.deepEqual(
      amiss.map(({ what, state }) => `${state} ${what}`),
      ["warning publicUrl"],
      text,
    );
    const says = (what: string) => findings.find((each) => each.what === what)?.says ?? "";
    assert.match(says("API server"), new RegExp(`system:serviceaccount:${context.namespace}:${DEPLOYMENT}$`));
    assert.match(says(`rights in ${context.namespace}`), /^all that the operator needs/);
    assert.match(says("rights, cluster"), /^all that the operator needs/);
    assert.match(says("TestTask definition"), /^has the fields and rules of/);
    assert.match(says("log store"), /gives it back and removes it$/);
    assert.match(says("internalUrl"), /opens from here$/);
    assert.match(says("canary build"), /: SUCCESS/);
    for (const { address } of [gearmand, geard]) assert.match(says(`${address} operator`), /^2 replicas are connected/);
  });

  test("a Prometheus that reads both replicas has data for every query of the dashboard, and none for an alert", async () => {
    const lasting = await startBuilds();
    const { all } = await settledReplicas();
    await using prometheus = await startPrometheus(all.map(({ address }) => `${address}:8081`));
    await prometheus.untilDashboardHasData();
    let rules: { name: string; health: string; state: string }[] = [];
    await waitUntil("all alerts to be looked at", LIMIT_MS, async () => {
      const { groups } = await prometheus.get("rules");
      rules = groups.flatMap((group: { rules: object[] }) => group.rules);
      return rules.length > 0 && rules.every(({ health }) => health !== "unknown");
    });
    // One whose time has only begun is pending.
    assert.deepEqual(
      rules.filter(({ health, state }) => health !== "ok" || state !== "inactive"),
      [],
    );
    assert.deepEqual(await endBuilds(lasting), [1, 1]);
  });

  test("without a time to drain the next one goes on with the builds: geard makes Zuul launch them again, gearmand does not", async () => {
    const { taking } = await settledReplicas();
    const running = await startBuilds();
    await kubectl("delete", "pod", taking.name);
    await runsAtOnce();
    assert.deepEqual(await endBuilds(running), [1, 2]);
    assert.notEqual((await settledReplicas()).taking.name, taking.name);
  });

  test("its account has used each right that it has, and was refused nothing", async () => {
    const { auditLog } = clusterPaths(context.cluster.name);
    const role = JSON.parse(await kubectl("get", "role", DEPLOYMENT, "--output", "json"));
    const ofCluster = JSON.parse(await kubectl("get", "clusterrole", `${context.namespace}-${DEPLOYMENT}`, "--output", "json"));
    const granted = grantedRights(role).union(grantedRights(ofCluster));
    // What happens to a task again is counted in its Event after a minute, of which none need be over: tests/contract/task-events.test.ts.
    const counting = "patch /events";
    const isEachUsed = async () => granted.isSubsetOf((await auditedRights(auditLog, account())).used.union(new Set([counting])));
    await waitUntil("each to be used", LIMIT_MS, isEachUsed).catch(() => {});
    const { used, refused } = await auditedRights(auditLog, account());
    assert.deepEqual(refused, []);
    // Every account may ask these about itself, by system:basic-user; doctor does.
    const ofEverybody = ["create authentication.k8s.io/selfsubjectreviews", "create authorization.k8s.io/selfsubjectaccessreviews"];
    assert.deepEqual(used.difference(new Set(ofEverybody)).union(new Set([counting])), granted);
  });

  test("uninstalled as the README says, it leaves the definition, the TestTasks, and what belongs to their builds", async () => {
    const readme = await readFile(join(CHART, "README.md"), "utf8");
    const commands = /^```\n(kubectl .* scale .*?)^```$/ms.exec(readme)?.[1]?.trim().split("\n") ?? [];
    assert.equal(commands.length, 3);
    for (const command of commands.slice(0, 2)) {
      const words = command
        .replace("deployment/turbo-hipster", `deployment/${DEPLOYMENT}`)
        .replace("=turbo-hipster", `=${RELEASE}`)
        .split(" ");
      await kubectl(...words.filter((word) => !["kubectl", "--namespace", "ci"].includes(word)));
    }
    assert.deepEqual(await replicas(), []);
    assert.deepEqual([await leases(), await holder()], [[`lease.coordination.k8s.io/${RELEASE}`], ""]);
    await context.helm("uninstall", RELEASE, "--wait", "--cascade", "foreground");
    const list = async (kinds: string, ...flags: string[]) => {
      const names = (await context.kubectl("api-resources", "--verbs=list", "--output=name", kinds)).trim().split("\n");
      return (await context.kubectl("get", names.join(), "--ignore-not-found", "--output=name", ...flags)).split("\n").filter(Boolean);
    };
    // Endpoints go with their Service, a moment later.
    await waitUntil("the release's objects to be gone", LIMIT_MS, async () => {
      const labelled = ["--all-namespaces", "--selector", `app.kubernetes.io/instance=${RELEASE}`];
      const own = [...(await list("--namespaced=true", ...labelled)), ...(await list("--namespaced=false", ...labelled))];
      return own.join() === `persistentvolumeclaim/${CLAIM}`;
    });
    assert.match(await context.kubectl("get", "crd", "testtasks.turbo-hipster.io", "--output=name"), /testtasks/);
    const left = await list("--namespaced=true", "--namespace", context.namespace);
    // Every namespace has these.
    const common = [/^configmap\/kube-root-ca.crt$/, /^serviceaccount\/default$/, /^event/, /^secret\/db$/];
    const tasks = /^testtask.turbo-hipster.io\/(hello|leaves|masked|nowhere|unheeding|waits)$/;
    const claim = new RegExp(`^persistentvolumeclaim/${CLAIM}$`);
    const builds = [
      /^(pod|job.batch)\/(hello|leaves|masked|unheeding|waits)-[0-9a-f]{16}/,
      /^configmap\/th-functions$/,
      /^lease.coordination.k8s.io\/th$/,
    ];
    const others = (names: string[], expected: RegExp[]) => names.filter((name) => !expected.some((pattern) => pattern.test(name)));
    assert.deepEqual(others(left, [...common, tasks, claim, ...builds]), []);
    for (const pattern of [tasks, claim, ...builds])
      assert.ok(
        left.some((name) => pattern.test(name)),
        `${pattern}`,
      );
    for (const { address } of [gearmand, geard]) {
      assert.equal((await adminStatus(address)).get("build:hello")?.workers ?? 0, 0);
    }
    const kinds = /^`kubectl delete ([a-z,]+) -l turbo-hipster\.io\/installation=/m.exec(readme)?.[1] ?? "";
    await kubectl("delete", kinds, "--selector", `turbo-hipster.io/installation=${RELEASE}`, "--wait");
    await waitUntil("the pods to go with their Jobs", LIMIT_MS, async () => {
      return others(await list("--namespaced=true", "--namespace", context.namespace), [...common, tasks, claim]).length === 0;
    });
  });
});
