import { parseConfig } from "../../../src/config.ts";
import { PARAMETERS_ANNOTATION } from "../../../src/core/kubernetes/labels.ts";
import { loadKubeClient } from "../../../src/kube/client/kube-client.ts";
import { JOBS as KUBE_JOBS, PODS, TEST_TASKS } from "../../../src/kube/client/resource.ts";
import { makeOperator } from "../../../src/operator.ts";
import { type Clock, systemClock } from "../../../src/runtime/clock.ts";
import type { Logger } from "../../../src/runtime/logger.ts";
import { startFakeKube } from "../../support/fake-kube/fake-kube.ts";
import { playNode } from "../../support/fake-kube/play-node.ts";
import type { StoredObject } from "../../support/fake-kube/resource-rules.ts";
import { startGeard } from "../../support/gearman/geard.ts";
import { adminStatus, type GearmanServer, type GearmanServerKind } from "../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { type LossyProxy, startLossyProxy } from "../../support/proxies/lossy-proxy.ts";
import { makeRandom } from "../../support/random.ts";
import { startZuulLauncher, type ZuulLauncher } from "../../support/zuul/zuul-launcher.ts";
import { auditDrill, type DrillAudit, type DrilledBuild, isZuulOwnResult } from "./drill-audit.ts";
import { type BuildPlan, JOBS, planBuild, planTrouble, type Trouble, type TroubleKind } from "./drill-plan.ts";

export interface DrillOptions {
  readonly kinds: readonly GearmanServerKind[];
  readonly seed: number;
  /** Builds that Zuul waits for at any time, over all servers. */
  readonly underWay: number;
  /** New builds and trouble come for so long. */
  readonly troubledMs: number;
  /** Mean time between two troubles of one server. */
  readonly troubleEveryMs: number;
  readonly troubles: readonly TroubleKind[];
  /** The operator's waits take so many times less than they say. */
  readonly haste: number;
  log(line: string): void;
}

export interface DrillReport extends DrillAudit {
  /** Every trouble made, with how many connections it met. */
  readonly cuts: number;
  readonly kills: number;
  /** What was done to the links, and what the operator logged, with the milliseconds since its start. */
  readonly events: readonly string[];
  readonly operatorLog: readonly string[];
}

/** After the last trouble every build must end: the longest test and Zuul's reconnects, and a black hole that the operator has to find out. */
const END_MS = 60_000;
const OPERATOR_END_MS = 150_000;
const NAMESPACE = "ci";

interface Side {
  readonly server: GearmanServer;
  readonly operatorLink: LossyProxy;
  readonly zuulLink: LossyProxy;
  readonly zuul: ZuulLauncher;
}

/** The real operator between real servers with Zuul's own launcher and the fake API server, while the links are cut. */
export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  await using stack = new AsyncDisposableStack();
  const startedMs = performance.now();
  const events: string[] = [];
  const tell = (line: string) => {
    events.push(`${Math.round(performance.now() - startedMs)} ms ${line}`);
    options.log(line);
  };

  const sides: Side[] = [];
  for (const kind of options.kinds) sides.push(await startSide(kind, options.troubles, stack));
  const plans = new Map<string, BuildPlan>();
  const kube = stack.use(await startFakeKube());
  const pods = new Map<string, StoredObject>();
  stack.defer(
    kube.subscribe(({ rules, object, type }) => {
      if (rules.plural === PODS.plural && type !== "DELETED") pods.set(object.metadata.uid, object);
    }),
  );
  stack.use(playNode(kube, (job) => scriptOf(job, plans)));
  for (const job of JOBS) {
    const spec = { image: "test:1", ...(job === "job-c" ? { maxConcurrent: Math.ceil(options.underWay / 2) } : {}) };
    kube.create(TEST_TASKS, NAMESPACE, { metadata: { name: job }, spec });
  }
  const operatorLog = await startOperator(kube.kubeconfig, sides, options, stack);
  // Zuul reports a function that it does not find, and launches nothing.
  for (const { server } of sides) while (!(await isServed(server))) await systemClock.sleep(50);

  const builds: DrilledBuild[] = [];
  const running = new Set<Promise<void>>();
  const untilMs = performance.now() + options.troubledMs;
  const launch = () => {
    const plan = planBuild(builds.length, makeRandom(options.seed * 65_537 + builds.length));
    plans.set(plan.ref, plan);
    const side = sides[plan.index % sides.length] as Side;
    const item = { kind: "change", number: 1000 + plan.index, ref: plan.ref } as const;
    const build: DrilledBuild = { plan, zuul: side.zuul.launch({ job: plan.job, item }) };
    builds.push(build);
    const end = build.zuul.completed.then(
      async (completed) => {
        build.completed = completed;
        // It would be launched and given up again at once until Zuul is connected.
        if (isZuulOwnResult(completed.result)) await systemClock.sleep(1000);
        running.delete(end);
        if (performance.now() < untilMs) launch();
      },
      () => {},
    );
    running.add(end);
  };
  for (let count = 0; count < options.underWay; count += 1) launch();

  const made = await Promise.all(sides.map((side, index) => makeTrouble(side, options, makeRandom(options.seed + index), untilMs, tell)));
  const endMs = performance.now() + END_MS + OPERATOR_END_MS / options.haste;
  while (running.size > 0 && performance.now() < endMs) await systemClock.sleep(100);
  // What nobody asks for any more ends two minutes after its link was lost.
  const orphansMs = performance.now() + 10_000 + 125_000 / options.haste;
  while (kube.list(PODS, NAMESPACE).some(isRunning) && performance.now() < orphansMs) await systemClock.sleep(250);
  const audit = auditDrill(builds, kube.list(KUBE_JOBS, NAMESPACE), [...pods.values()]);
  return {
    ...audit,
    cuts: made.flat().filter(({ kind }) => kind !== "kill").length,
    kills: made.flat().filter(({ kind }) => kind === "kill").length,
    operatorLog,
    events,
  };
}

async function isServed(server: GearmanServer): Promise<boolean> {
  const status = await adminStatus(server.address);
  return JOBS.every((job) => (status.get(`build:${job}`)?.workers ?? 0) > 0);
}

function isRunning({ status }: StoredObject): boolean {
  return status?.phase === "Running" || status?.phase === "Pending";
}

async function startSide(kind: GearmanServerKind, troubles: readonly TroubleKind[], stack: AsyncDisposableStack): Promise<Side> {
  const server = stack.use(await (kind === "gearmand" ? startKeptGearmand() : startGeard({ keepalive: KEEPALIVE })));
  const operatorLink = stack.use(await startLossyProxy(server));
  const zuulLink = stack.use(await startLossyProxy(server));
  // A proxy takes connections while the server is down, and then breaks them; gear waits 300 s for an answer that was asked for before.
  const address = troubles.includes("zuul") ? zuulLink.address : server.address;
  return { server, operatorLink, zuulLink, zuul: stack.use(await startZuulLauncher({ server: address, patient: true })) };
}

/** In seconds: a dead peer is found after five. */
const KEEPALIVE = { idle: 2, interval: 1, count: 3 };

function startKeptGearmand(): Promise<GearmanServer> {
  const { idle, interval, count } = KEEPALIVE;
  return startGearmand({
    extraArgs: ["--keepalive", `--keepalive-idle=${idle}`, `--keepalive-interval=${interval}`, `--keepalive-count=${count}`],
  });
}

function scriptOf(job: StoredObject, plans: ReadonlyMap<string, BuildPlan>) {
  const parameters = JSON.parse(job.spec.template.metadata.annotations[PARAMETERS_ANNOTATION]);
  const plan = plans.get(parameters.ZUUL_REF.split("/").at(-1));
  if (plan === undefined) throw new Error(`no build is planned for ${parameters.ZUUL_REF}`);
  const { runMs, exitCode, result } = plan;
  return { finished: systemClock.sleep(runMs), exitCode, ...(exitCode === 0 ? {} : { message: result }) };
}

async function startOperator(kubeconfig: string, sides: readonly Side[], options: DrillOptions, stack: AsyncDisposableStack) {
  const lines: string[] = [];
  const startedMs = performance.now();
  const clock = makeHastyClock(options.haste);
  const config = parseConfig(
    JSON.stringify({
      namespaces: [NAMESPACE],
      gearman: { servers: sides.map(({ operatorLink }) => operatorLink.address) },
      http: { public: "127.0.0.1:0", internal: "127.0.0.1:0" },
      maxBuilds: options.underWay,
    }),
    "drill",
  );
  const client = await loadKubeClient({ kubeconfig, clock });
  stack.defer(() => client.close());
  const logger = makeLogger((text) => lines.push(`${Math.round(performance.now() - startedMs)} ms ${text}`));
  const operator = makeOperator({ config, client, clock, logger });
  stack.defer(() => operator.stop());
  await operator.start();
  await operator.ready();
  return lines;
}

function makeHastyClock(haste: number): Clock {
  return {
    now: systemClock.now,
    steadyNow: () => new Date(performance.timeOrigin + systemClock.monotonicMs() * haste),
    monotonicMs: () => systemClock.monotonicMs() * haste,
    sleep: (delayMs, signal) => systemClock.sleep(delayMs / haste, signal),
    schedule: (delayMs, callback) => systemClock.schedule(delayMs / haste, callback),
  };
}

function makeLogger(write: (text: string) => void, bound: object = {}): Logger {
  const at = (level: string) => (fields: object, message: string) =>
    write(`${level} ${message} ${JSON.stringify({ ...bound, ...fields })}`);
  return {
    ...{ debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
    child: (fields) => makeLogger(write, { ...bound, ...fields }),
  };
}

/** Makes trouble for one server until the time is over; resolves with what it made, when the server is up. */
async function makeTrouble(
  side: Side,
  options: DrillOptions,
  random: () => number,
  untilMs: number,
  tell: (line: string) => void,
): Promise<Trouble[]> {
  const made: Trouble[] = [];
  for (;;) {
    await systemClock.sleep(options.troubleEveryMs * (0.2 + 1.6 * random()));
    if (performance.now() > untilMs) return made;
    const trouble = planTrouble(options.troubles, random);
    made.push(trouble);
    if (trouble.kind === "kill") {
      await side.server.kill9();
      await systemClock.sleep(trouble.downMs);
      await side.server.restart();
      tell(`${side.server.kind}: killed, down for ${Math.round(trouble.downMs)} ms`);
    } else {
      const proxy = trouble.kind === "zuul" ? side.zuulLink : side.operatorLink;
      const count = await proxy.cut(trouble.cut, trouble.kind === "zuul" ? undefined : trouble.pick);
      tell(`${side.server.kind}: ${JSON.stringify(trouble.cut)} of ${count} connections of ${trouble.kind}`);
    }
  }
}
