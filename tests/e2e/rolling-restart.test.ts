import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { DELIVERED_ANNOTATION, installationSelector, VERDICT_ANNOTATION } from "../../src/core/kubernetes/labels.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import type { ChildExit } from "../support/child-process.ts";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { type GatedTest, type GatedTests, gatedParameters, makeGatedTests } from "../support/gated-tests.ts";
import { startGeard } from "../support/gearman/geard.ts";
import { adminStatus, type GearmanServer, type GearmanServerKind } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulBuild, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const START = { gearmand: startGearmand, geard: startGeard };
const LIMIT_MS = 60_000;
/** Of one test: what hangs is to say so. */
const TEST = { timeout: 300_000 };
/** A holder that goes says so: this is far from the 15 s after which it would be missed. */
const HANDOVER_LIMIT_MS = 5_000;
/** The Lease, and what a busy machine needs to see that it is over. */
const LOSS_LIMIT_MS = 15_000 + 10_000;
const STOPPED_MS = 30_000;
const BUILDS = 50;
/** Launched just before something happens: whichever replica they come to, and however far they are. */
const ON_THEIR_WAY = 3;
/** Of the builds of a task with a limit, as many as run at once. */
const LIMITED = 5;
/** What a replica says at a request for a build that another one had: from gearmand, from geard. */
const ATTACHES = ["attaches a request to the build that is under way", "attaches Zuul's relaunch to the build that it is of"];

const context = useTestCluster("rolling");

/** How often Zuul must have launched a build of this server, which it has launched `attempts` times. */
type Launches = (server: GearmanServerKind, attempts: number | undefined) => number;
const once: Launches = () => 1;
/** gearmand hands a lost build out again, by itself; geard fails it, and Zuul launches it again. */
const againOnGeard: Launches = (server) => (server === "geard" ? 2 : 1);
/** It may have been answered, or not taken yet, when its replica went. */
const perhapsAgainOnGeard: Launches = (server, attempts) => (server === "geard" && attempts === 2 ? 2 : 1);

interface LaunchedBuild {
  plan: GatedTest;
  server: GearmanServerKind;
  build: ZuulBuild;
}

function timeOf(line: Record<string, unknown>): number {
  return Date.parse(String(line.time));
}

/** Passes, fails, fails with a sentence that no other build has, passes with words that are of no account. */
function planTest(index: number, gate: string): GatedTest {
  const ends = [
    { exitCode: 0, text: "" },
    { exitCode: 3, text: "" },
    { exitCode: 1, text: `${index} of ${BUILDS} tests failed` },
    { exitCode: 0, text: "FAILURE" },
  ];
  return { index, gate, ...(ends[index % ends.length] as (typeof ends)[number]) };
}

function resultOf({ exitCode, text }: GatedTest): string {
  return exitCode === 0 ? "SUCCESS" : text || "FAILURE";
}

/** An installation of several replicas, Zuul's launchers, and the builds that they have launched. */
class Scene {
  readonly installation: string;
  readonly servers = new Map<GearmanServerKind, GearmanServer>();
  readonly launchers = new Map<GearmanServerKind, ZuulLauncher>();
  /** All that ever ran, in the order of their start. */
  readonly replicas: OperatorProcess[] = [];
  readonly builds: LaunchedBuild[] = [];
  gates!: GatedTests;

  constructor(installation: string) {
    this.installation = installation;
  }

  async start(kinds: readonly GearmanServerKind[], gates: readonly string[]): Promise<void> {
    this.gates = await makeGatedTests(gates);
    const spec = this.gates.taskSpec(context.image);
    await context.apply(this.#testTask("gated", spec), this.#testTask("limited", { ...spec, maxConcurrent: LIMITED }));
    for (const kind of kinds) this.servers.set(kind, await START[kind]());
    await Promise.all([this.startReplica(), this.startReplica()]);
    await this.holder();
    for (const [kind, { address }] of this.servers) {
      await waitUntil(`the jobs at ${kind}`, LIMIT_MS, async () => (await adminStatus(address)).has(this.#function("limited")));
      this.launchers.set(kind, await startZuulLauncher({ server: address }));
    }
  }

  async stop(): Promise<void> {
    for (const launcher of this.launchers.values()) await launcher.stop();
    for (const replica of this.replicas) await replica.stop();
    for (const server of this.servers.values()) await server.stop();
    await this.gates?.[Symbol.asyncDispose]();
  }

  /** One more, as ready as it is before it may take builds. */
  async startReplica(): Promise<OperatorProcess> {
    const replica = await startOperator({
      kubeconfig: context.cluster.kubeconfig,
      config: {
        installation: this.installation,
        namespaces: [context.namespace],
        image: context.image,
        drain: "5m",
        gearman: { servers: [...this.servers.values()].map(({ address }) => address) },
      },
      until: "is ready",
    });
    this.replicas.push(replica);
    return replica;
  }

  get running(): OperatorProcess[] {
    return this.replicas.filter(({ child }) => !child.hasExited);
  }

  /** The one replica that says that it takes builds, once the Lease says so as well. */
  async holder(): Promise<OperatorProcess> {
    let holders: OperatorProcess[] = [];
    await waitUntil("one holder", LIMIT_MS, async () => {
      holders = this.running.filter(({ takesBuilds }) => takesBuilds);
      const names = await Promise.all(holders.map(async (replica) => (await replica.logged("is ready")).replica));
      const identity = await this.#kubectl("get", "lease", this.installation, "--output", "jsonpath={.spec.holderIdentity}");
      return names.length === 1 && names[0] === identity;
    });
    return holders[0] as OperatorProcess;
  }

  async standby(): Promise<OperatorProcess> {
    const holder = await this.holder();
    const standby = this.running.find((replica) => replica !== holder);
    assert.ok(standby);
    return standby;
  }

  /** So many builds whose tests wait at `gate`, through one of the servers. */
  launch(server: GearmanServerKind, count: number, gate: string, name: "gated" | "limited" = "gated"): LaunchedBuild[] {
    const zuul = this.launchers.get(server);
    assert.ok(zuul);
    return Array.from({ length: count }, () => {
      const plan = planTest(this.builds.length, gate);
      const build = zuul.launch({
        job: this.#job(name),
        item: { kind: "change", number: 1000 + plan.index },
        params: gatedParameters(plan),
      });
      const launched = { plan, server, build };
      this.builds.push(launched);
      return launched;
    });
  }

  /** Which builds' pods there are and how often each has run is told by what the tests wrote on the node, and by the API server. */
  async countPods(): Promise<{ pods: number; starts: number[] }> {
    const names = await this.#kubectl("get", "pods", "--selector", installationSelector(this.installation), "--output", "name");
    return { pods: names.split("\n").filter((name) => name !== "").length, starts: await this.gates.starts() };
  }

  /** Resolves once each Job says what became of it, and that Zuul knows. */
  async recorded(): Promise<void> {
    const missing = async () => {
      const text = await this.#kubectl("get", "jobs", "--selector", installationSelector(this.installation), "--output", "json");
      const { items } = JSON.parse(text) as { items: { metadata: { annotations: Record<string, string> } }[] };
      assert.equal(items.length, this.builds.length);
      return items.filter(({ metadata: { annotations } }) => !annotations[DELIVERED_ANNOTATION] || !annotations[VERDICT_ANNOTATION]);
    };
    await waitUntil("all builds to be recorded", LIMIT_MS, async () => (await missing()).length === 0);
  }

  async ownLeases(): Promise<number> {
    const names = await this.#kubectl("get", "leases", "--selector", installationSelector(this.installation), "--output", "name");
    return names.split("\n").filter((name) => name.includes(`/${this.installation}-`)).length;
  }

  #testTask(name: "gated" | "limited", spec: object): object {
    return {
      apiVersion: "turbo-hipster.io/v1alpha1",
      kind: "TestTask",
      metadata: { name: `${this.installation}-${name}` },
      spec: { jobs: [this.#job(name)], ...spec },
    };
  }

  #job(name: "gated" | "limited"): string {
    return `${this.installation}-${name}`;
  }

  #function(name: "gated" | "limited"): string {
    return `build:${this.#job(name)}`;
  }

  #kubectl(...args: string[]): Promise<string> {
    return context.kubectl("--namespace", context.namespace, ...args);
  }
}

/** Resolves once Zuul was told that the tests run. */
async function untilRunning(builds: readonly LaunchedBuild[]): Promise<void> {
  await Promise.all(builds.map(({ build }) => build.waitFor("update", ({ numerator }) => numerator === "4")));
}

/** Each build has the result of its own test, after so many launches. */
async function expectResults(builds: readonly LaunchedBuild[], launches: Launches): Promise<void> {
  const completed = await Promise.all(builds.map(({ build }) => build.completed));
  const told = completed.map(({ result, attempts }, place) => [builds[place]?.plan.index, result, attempts]);
  const right = builds.map(({ plan, server }, place) => [plan.index, resultOf(plan), launches(server, completed[place]?.attempts)]);
  assert.deepEqual(told, right);
}

/** Every build launched so far has run once, in one pod, and Zuul waits for none. */
async function expectOnePodEach(scene: Scene): Promise<void> {
  for (const launcher of scene.launchers.values()) assert.deepEqual(await launcher.unfinished(), []);
  const { pods, starts } = await scene.countPods();
  assert.deepEqual(
    starts.sort((a, b) => a - b),
    scene.builds.map(({ plan }) => plan.index),
  );
  assert.equal(pods, scene.builds.length);
  await scene.recorded();
}

async function expectExit(replica: OperatorProcess | undefined, exit: ChildExit): Promise<void> {
  const exited = await replica?.child.exited;
  assert.deepEqual(exited, exit, `${replica?.child.log()}\n${JSON.stringify(replica?.lines.slice(-20))}`);
}

/** Tells a holder to stop; how long its successor took, in milliseconds from when the first said so. */
async function handOver(holder: OperatorProcess, next: OperatorProcess): Promise<number> {
  holder.child.kill("SIGTERM");
  const stops = await holder.logged("stops");
  return timeOf(await next.logged("takes builds")) - timeOf(stops);
}

for (const kind of ["gearmand", "geard"] as const) {
  describe(`a rolling restart of two replicas under ${BUILDS} builds of ${kind}`, () => {
    const scene = new Scene(`rolling-${kind}`);
    before(() => scene.start([kind], ["first", "second", "third"]));
    after(() => scene.stop());

    let first: LaunchedBuild[] = [];
    let second: LaunchedBuild[] = [];
    let waiting: LaunchedBuild[] = [];

    test("all are taken, and run at once", TEST, async () => {
      first = [...scene.launch(kind, LIMITED, "first", "limited"), ...scene.launch(kind, BUILDS - LIMITED, "first")];
      await untilRunning(first);
    });

    test("at SIGTERM to the holder the other one takes what comes, within limits that count what the first has", TEST, async (t) => {
      const [holder, next] = [await scene.holder(), await scene.standby()];
      // Some of these are on their way to the one, some to the other.
      first.push(...scene.launch(kind, ON_THEIR_WAY, "first"));
      tell(t, await handOver(holder, next));
      await scene.startReplica();
      waiting = scene.launch(kind, 1, "second", "limited");
      second = scene.launch(kind, 6, "second");
      await untilRunning([...first, ...second]);
      assert.equal(holder.child.hasExited, false);
      assert.equal(
        waiting[0]?.build.events.some(({ event }) => event === "started"),
        false,
      );
    });

    test("the one that was told to stop ends its builds, answers for each of them, and exits with 0", TEST, async () => {
      const leaving = scene.replicas.find(({ child, lines }) => !child.hasExited && lines.some(({ msg }) => msg === "stops"));
      await scene.gates.open("first");
      await expectResults(first, once);
      await expectExit(leaving, { code: 0, signal: null });
      await untilRunning(waiting);
    });

    test("then the second holder is replaced in the same way, under its builds", TEST, async (t) => {
      const [holder, next] = [await scene.holder(), await scene.standby()];
      second.push(...scene.launch(kind, ON_THEIR_WAY, "second"));
      tell(t, await handOver(holder, next));
      await scene.startReplica();
      const third = scene.launch(kind, 3, "third");
      await untilRunning(third);
      await scene.gates.open("second");
      await expectResults([...waiting, ...second], once);
      await expectExit(holder, { code: 0, signal: null });
      await scene.gates.open("third");
      await expectResults(third, once);
    });

    test("each build was launched once and ran in one pod, and one of two new replicas takes builds", TEST, async () => {
      await expectOnePodEach(scene);
      const ofLimited = new Set([...first.slice(0, LIMITED), ...waiting].map(({ plan }) => plan.index));
      assert.equal(await scene.gates.mostAtOnce((index) => ofLimited.has(index)), LIMITED);
      assert.deepEqual(scene.running, scene.replicas.slice(2));
      await scene.holder();
      assert.equal(await scene.ownLeases(), 2);
      for (const replica of scene.running) assert.equal(await replica.stop(), 0);
      assert.equal(await scene.ownLeases(), 0);
    });
  });
}

describe("a holder that goes without having ended its builds", () => {
  const kinds = ["gearmand", "geard"] as const;
  const scene = new Scene("lost");
  before(() => scene.start(kinds, ["crash-early", "crash", "now-early", "now", "hang-early", "hang", "hang-new"]));
  after(() => scene.stop());

  /** On both servers, running: some that end before another replica may answer them, some after. */
  async function launchAll(gate: string): Promise<{ early: LaunchedBuild[]; late: LaunchedBuild[]; all: LaunchedBuild[] }> {
    const early = kinds.flatMap((kind) => scene.launch(kind, 3, `${gate}-early`));
    const late = kinds.flatMap((kind) => [...scene.launch(kind, 3, gate), ...scene.launch(kind, 1, gate, "limited")]);
    await untilRunning([...early, ...late]);
    return { early, late, all: [...early, ...late] };
  }

  test("kill -9: the other takes over once its Lease is over, and answers for every build from the pod that it had", TEST, async (t) => {
    const { all } = await launchAll("crash");
    const [holder, next] = [await scene.holder(), await scene.standby()];
    const onTheirWay = kinds.flatMap((kind) => scene.launch(kind, ON_THEIR_WAY, "crash"));
    const killedMs = Date.now();
    holder.child.kill("SIGKILL");
    await scene.gates.open("crash-early");
    await expectExit(holder, { code: null, signal: "SIGKILL" });
    await scene.startReplica();
    const took = timeOf(await next.logged("takes builds")) - killedMs;
    t.diagnostic(`taken over ${took} ms after the kill`);
    assert.ok(took < LOSS_LIMIT_MS, `${took} ms`);
    await attached(next, all);
    await untilRunning(onTheirWay);
    await scene.gates.open("crash");
    await expectResults(all, againOnGeard);
    await expectResults(onTheirWay, perhapsAgainOnGeard);
    await expectOnePodEach(scene);
  });

  test("a second SIGTERM: it leaves its builds to the other at once and exits with 0, and no build runs twice", TEST, async () => {
    const { early, late } = await launchAll("now");
    const [holder, next] = [await scene.holder(), await scene.standby()];
    const onTheirWay = kinds.flatMap((kind) => scene.launch(kind, ON_THEIR_WAY, "now"));
    holder.child.kill("SIGTERM");
    await holder.logged("ends the builds under way");
    await scene.gates.open("now-early");
    holder.child.kill("SIGTERM");
    await expectExit(holder, { code: 0, signal: null });
    await scene.startReplica();
    await attached(next, late);
    await untilRunning(onTheirWay);
    await scene.gates.open("now");
    await expectResults(late, againOnGeard);
    await expectResults([...early, ...onTheirWay], perhapsAgainOnGeard);
    await expectOnePodEach(scene);
  });

  test("SIGSTOP: another takes its place; when it goes on it answers for its builds and takes none", TEST, async (t) => {
    const { early, all } = await launchAll("hang");
    const [holder, next] = [await scene.holder(), await scene.standby()];
    const onTheirWay = kinds.flatMap((kind) => scene.launch(kind, ON_THEIR_WAY, "hang"));
    const stoppedMs = Date.now();
    holder.child.kill("SIGSTOP");
    await scene.gates.open("hang-early");
    const took = timeOf(await next.logged("takes builds")) - stoppedMs;
    t.diagnostic(`taken over ${took} ms after the stop`);
    assert.ok(took < LOSS_LIMIT_MS, `${took} ms`);
    const more = kinds.flatMap((kind) => scene.launch(kind, 2, "hang-new"));
    await untilRunning(more);
    await judged(next, early);
    await systemClock.sleep(Math.max(0, stoppedMs + STOPPED_MS - Date.now()));
    holder.child.kill("SIGCONT");
    await holder.logged("takes no more builds");
    await scene.gates.open("hang");
    await scene.gates.open("hang-new");
    await expectResults([...all, ...onTheirWay, ...more], once);
    await expectOnePodEach(scene);
    assert.equal(await scene.holder(), next);
    assert.equal(scene.running.length, 2);
    assert.equal(await scene.ownLeases(), 3, "the one that was killed has left its own");
  });
});

function tell(t: TestContext, handoverMs: number): void {
  t.diagnostic(`taken over ${handoverMs} ms after SIGTERM`);
  assert.ok(handoverMs < HANDOVER_LIMIT_MS, `${handoverMs} ms`);
}

/** Resolves once a replica was asked for each of these builds, that another one had. */
async function attached(replica: OperatorProcess, builds: readonly LaunchedBuild[]): Promise<void> {
  for (const { build } of builds) {
    const { number } = await build.started;
    await replica.logged(ATTACHES, (line) => line.build === number);
  }
}

/** Resolves once a replica knows what became of each of these builds. */
async function judged(replica: OperatorProcess, builds: readonly LaunchedBuild[]): Promise<void> {
  for (const { build } of builds) {
    const { number } = await build.started;
    await replica.logged("judged the build", (line) => line.build === number);
  }
}
