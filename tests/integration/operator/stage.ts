import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseConfig } from "../../../src/config.ts";
import { buildNumber } from "../../../src/core/job/name.ts";
import { type KubeClient, loadKubeClient } from "../../../src/kube/client/kube-client.ts";
import type { KubeCallReport } from "../../../src/kube/client/kube-transport.ts";
import { JOBS, PODS, TEST_TASKS } from "../../../src/kube/client/resource.ts";
import type { LogStore } from "../../../src/logs/stores/log-store.ts";
import { makeMetrics } from "../../../src/metrics/metrics.ts";
import { makeOperator, type Operator } from "../../../src/operator.ts";
import type { Logger } from "../../../src/runtime/logger.ts";
import { sha256Hex } from "../../../src/runtime/sha256.ts";
import { type FakeKube, startFakeKube } from "../../support/fake-kube/fake-kube.ts";
import type { FakeCall } from "../../support/fake-kube/fault-plan.ts";
import { type PlayedNode, type PodScript, playNode } from "../../support/fake-kube/play-node.ts";
import type { StoredObject } from "../../support/fake-kube/resource-rules.ts";
import type { GearmanServer } from "../../support/gearman/gearman-server.ts";
import { processClock } from "../../support/process-clock.ts";
import { type ProxyControl, startTcpProxy, type TcpProxy } from "../../support/proxies/tcp-proxy.ts";
import { makeSkippingClock, type SkippingClock } from "../../support/skipping-clock.ts";
import { connectTestClient, countHandles, Inbox, type SubmittedBuild, submitBuild, within } from "../gearman/worker/link-harness.ts";

export const NAMESPACE = "ci";
/** A Lease lasts for 15 s, and a write that failed is tried again after half a minute at most, by the process's clock. */
const LONGEST_WAIT_MS = 45_000;

export interface LogLine {
  level: string;
  message: string;
  fields: Record<string, unknown>;
}

export interface StageOptions {
  start(): Promise<GearmanServer>;
  /** Fields of the configuration beside servers, namespaces and ports. */
  config?: object;
  /** What becomes of each pod; by default it ends with exit code 0. */
  script?: (job: StoredObject) => PodScript;
  /** TestTasks by name: their spec, beside the image. */
  tasks?: Record<string, object>;
  /** Each replica reaches the API server through a proxy of its own: what it sees and does takes a little longer. */
  proxiesApi?: boolean;
  /** Where each replica keeps logs; the configuration has to say the same. */
  makeStore?: () => LogStore;
  /** Default: started, and ready. */
  startsOperator?: boolean;
}

/** The last packets of a build as Zuul reads them. */
export interface Answer {
  /** null: none, Zuul runs it again. */
  result: string | null;
  kind: string;
  data: Record<string, unknown>;
}

/** One running operator, and its own ways to both servers: breaking them harms no other replica. */
export interface StagedReplica {
  readonly operator: Operator;
  /** As it is called in Leases and Jobs, once it is ready. */
  readonly name: string;
  /** All its connections to the Gearman server; made before it was ready, too. */
  readonly link: ProxyControl;
  /** That by which it takes `stop:`. */
  readonly manager: ProxyControl;
  /** Its way to the API server, on a stage with `proxiesApi`. */
  readonly api: TcpProxy;
  /** Its calls to the API server, in order of arrival. */
  calls(match?: Partial<Pick<FakeCall, "verb" | "resource" | "name">>): FakeCall[];
  /** Waits until it has logged this, more than `skip` times. */
  logged(message: string, skip?: number): Promise<LogLine>;
  /** How often it has logged this. */
  count(message: string): number;
}

/** The real operator between a real Gearman server and the fake API server, with everything in reach that a test wants to break. */
export interface Stage extends AsyncDisposable {
  readonly kube: FakeKube;
  readonly server: GearmanServer;
  /** Between the operator and the Gearman server; clients of tests go to the server itself. */
  readonly link: TcpProxy;
  readonly clock: SkippingClock;
  readonly log: Inbox<LogLine>;
  /** Every call to the API server as the client reported it. */
  readonly reports: KubeCallReport[];
  /** The one that was started last, and runs. */
  readonly operator: Operator;
  /** One more replica. */
  startOperator(config?: object): Promise<StagedReplica>;
  /** One more replica, once it is ready. */
  startReplica(config?: object): Promise<StagedReplica>;
  /** Those that run, oldest first. */
  readonly replicas: readonly StagedReplica[];
  /** Stops the one that was started last, or the one given. */
  stopOperator(operator?: Operator): Promise<void>;
  /** The operator's `/metrics`: each sample that is not a histogram's bucket, by name and labels. */
  scrape(): Promise<Record<string, number>>;
  task(name: string, spec?: object): void;
  untask(name: string): void;
  /** Submits `build:<job>` as Zuul does, on a connection that all tests of the stage share. */
  submit(job: string, options?: { unique?: string; parameters?: object | Buffer | string }): Promise<SubmittedBuild>;
  /** What Zuul does to cancel. */
  stop(number: string | Buffer): Promise<void>;
  /** Waits until `look` finds something, looking again at each change of the API server's objects. */
  until<T>(look: () => T | undefined | false, what: string): Promise<T>;
  logged(message: string, skip?: number): Promise<LogLine>;
  /** Waits until the operator has seen a build, or that of this number, in this state so many times. */
  reached(state: string, times?: number, number?: string): Promise<void>;
  /** Skips minutes, in steps that leave the Gearman server the time to answer: a question that is open for a minute counts as a dead link. */
  skip(ms: number): Promise<void>;
  /** Skips the operator's waits between tries as they come, until it has said `message` so many times. */
  skipTries(message: string, times: number): Promise<void>;
  jobs(): StoredObject[];
  pods(): StoredObject[];
  /** The pod of this build once its containers run. */
  running(number: string): Promise<StoredObject>;
  /** The Job once the operator has written its verdict and how long to keep it. */
  recorded(number: string): Promise<StoredObject>;
  /** The API server breaks and refuses all connections until `end`. */
  outage(): { end(): void };
}

export async function startStage(options: StageOptions): Promise<Stage> {
  const handlesBefore = await countHandles();
  const server = await options.start();
  const link = await startTcpProxy(server);
  const kube = await startFakeKube();
  const node: PlayedNode = playNode(kube, options.script);
  const clock = makeSkippingClock(processClock);
  const log = new Inbox<LogLine>();
  const reports: KubeCallReport[] = [];
  let client: Awaited<ReturnType<typeof connectTestClient>> | undefined;
  const running: { operator: Operator; client: KubeClient; replica: StagedReplica }[] = [];
  const apis: TcpProxy[] = [];
  let started = 0;

  let connecting: Promise<unknown> = Promise.resolve();
  /** One for all, one after another: geard queues one connection, and a burst of them waits for seconds of TCP's retries. */
  const getClient = async () => {
    const connected = connecting.then(async () => {
      // The server may have been restarted.
      if ((await client?.status("H:none")) === undefined) client = await connectTestClient(server);
      return client as Awaited<ReturnType<typeof connectTestClient>>;
    });
    connecting = connected.catch(() => undefined);
    return connected;
  };

  const stage: Stage = {
    ...{ kube, server, link, clock, log, reports },
    get operator() {
      const last = running.at(-1);
      assert.ok(last, "the operator runs");
      return last.operator;
    },
    get replicas() {
      return running.map(({ replica }) => replica);
    },
    async startReplica(config) {
      const replica = await stage.startOperator(config);
      await within(replica.operator.ready(), () => `the operator is not ready\n${tail(log)}`);
      await replica.logged("registered at the gearman server");
      return replica;
    },
    async startOperator(config = {}) {
      const index = started++;
      const api = options.proxiesApi ? await startTcpProxy({ port: Number(new URL(kube.url).port) }) : undefined;
      if (api) apis.push(api);
      const text = JSON.stringify({
        namespaces: [NAMESPACE],
        gearman: { servers: [link.address] },
        http: { public: "127.0.0.1:0", internal: "127.0.0.1:0" },
        ...options.config,
        ...config,
      });
      const metrics = makeMetrics({ version: "test" });
      const onCall = (report: KubeCallReport) => {
        reports.push(report);
        metrics.noteCall(report);
      };
      const kubeClient = await loadKubeClient({ kubeconfig: await writeKubeconfig(kube, api?.address, index), clock, onCall });
      const operator = makeOperator({
        config: parseConfig(text, "test"),
        client: kubeClient,
        store: options.makeStore?.(),
        clock,
        leaseClock: processClock,
        logger: makeInboxLogger(log, { operator: index }),
        metrics,
      });
      const replica = makeReplica({ operator, index, api, link, kube, log });
      running.push({ operator, client: kubeClient, replica });
      await operator.start();
      return replica;
    },
    async stopOperator(operator = running.at(-1)?.operator) {
      const index = running.findIndex((each) => each.operator === operator);
      const [stopped] = index < 0 ? [] : running.splice(index, 1);
      await stopped?.operator.stop();
      await stopped?.client.close();
    },
    async scrape() {
      const url = `http://127.0.0.1:${stage.operator.ports.internal}/metrics`;
      const text = await (await fetch(url, { headers: { connection: "close" } })).text();
      const samples = text.split("\n").filter((line) => /^[a-z]/.test(line) && !/_bucket\{/.test(line));
      return Object.fromEntries(samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]));
    },
    task(name, spec = {}) {
      kube.create(TEST_TASKS, NAMESPACE, { metadata: { name }, spec: { image: "test:1", ...spec } });
    },
    untask: (name) => kube.delete(TEST_TASKS, NAMESPACE, name),
    async submit(job, { unique = crypto.randomUUID().replaceAll("-", ""), parameters = {} } = {}) {
      const payload = Buffer.isBuffer(parameters) || typeof parameters === "string" ? parameters : JSON.stringify(parameters);
      return submitBuild(await getClient(), `build:${job}`, unique, payload);
    },
    async stop(number) {
      const payload = Buffer.isBuffer(number) ? number : JSON.stringify({ name: "any", number });
      const submission = (await getClient()).submit({
        functionName: "stop:turbo-hipster-turbo-hipster",
        unique: crypto.randomUUID(),
        payload,
      });
      const end = await within(submission.ended, () => `the stop has no answer\n${tail(log)}`);
      assert.equal(end.kind, "complete", "a stop is always answered");
    },
    async until<T>(look: () => T | undefined | false, what: string) {
      const found = Promise.withResolvers<T>();
      const check = () => {
        const value = look();
        if (value !== undefined && value !== false) found.resolve(value);
      };
      const leave = kube.subscribe(() => queueMicrotask(check));
      check();
      try {
        return await within(found.promise, () => `${what} has not come\n${tail(log)}`, LONGEST_WAIT_MS);
      } finally {
        leave();
      }
    },
    logged: (message, skip = 0) => logged(log, (line) => line.message === message, skip, message),
    async reached(state, times = 1) {
      const seen = () =>
        log.items.filter(({ message, fields }) => message === "build reached a new state" && fields.state === state).length;
      await log.until(() => seen() >= times).catch((error) => assert.fail(`no build is ${state}: ${error}\n${tail(log)}`));
      await turn();
    },
    async skip(ms) {
      for (let leftMs = ms; leftMs > 0; leftMs -= 10_000) {
        clock.skip(Math.min(leftMs, 10_000));
        await (await getClient()).status("H:none");
        // What the server has answered others goes through the proxies of this process yet: a heartbeat that stays open for a minute is a dead link.
        for (let count = 0; count < 20; count += 1) await turn();
      }
    },
    async skipTries(message, times) {
      for (let count = 0; count < times; count += 1) {
        await stage.logged(message, count);
        clock.skip(16_000);
      }
    },
    jobs: () => kube.list(JOBS, NAMESPACE),
    pods: () => kube.list(PODS, NAMESPACE),
    running: (number) =>
      stage.until(
        () => stage.pods().find((pod) => pod.metadata.labels?.["job-name"] === number && pod.status?.phase === "Running"),
        `the running pod of ${number}`,
      ),
    recorded: (number) =>
      stage.until(
        () => stage.jobs().find(({ metadata, spec }) => metadata.name === number && spec.ttlSecondsAfterFinished !== undefined),
        `the record of ${number}`,
      ),
    outage() {
      const fault = kube.misbehave({}, { kind: "drop" }, Number.POSITIVE_INFINITY);
      kube.cutConnections();
      return { end: () => fault.stop() };
    },
    async [Symbol.asyncDispose]() {
      while (running.length > 0) await within(stage.stopOperator(), () => `the operator does not stop\n${tail(log)}`);
      assert.equal(clock.pending, 0, "no timer of the operator is left");
      await kube.disconnected();
      await client?.stop();
      node[Symbol.dispose]();
      await kube[Symbol.asyncDispose]();
      for (const proxy of [link, ...apis]) await proxy[Symbol.asyncDispose]();
      await server.stop();
      assert.deepEqual(node.failures, [], "the played node has no failures");
      assert.deepEqual(await countHandles(), handlesBefore, "no socket, listener or timer is left");
    },
  };
  for (const [name, spec] of Object.entries(options.tasks ?? {})) stage.task(name, spec);
  if (options.startsOperator ?? true) {
    await stage.startOperator();
    await within(stage.operator.ready(), () => `the operator is not ready\n${tail(log)}`);
    await stage.logged("takes builds");
  }
  return stage;
}

/** The number that a build of a TestTask will have that serves one job of its own name, without a word from the operator. */
export function numberFor(stage: Stage, unique: string, parameters: object = {}, task = "unit"): string {
  const hash = createHash("sha256").update(JSON.stringify(parameters)).digest("hex").slice(0, 16);
  const identity = { server: stage.link.address, functionName: `build:${task}`, unique, payloadHash: hash };
  return buildNumber({ namespace: NAMESPACE, name: task }, identity, sha256Hex);
}

/** The build's number, from its first WORK_DATA. */
export async function numberOf(build: SubmittedBuild): Promise<string> {
  await build.events.until((events) => events.some(({ kind }) => kind === "data"));
  return String(dataOf(build)[0]?.number);
}

export function dataOf(build: SubmittedBuild): Record<string, unknown>[] {
  return build.events.items.flatMap((event) => (event.kind === "data" ? [JSON.parse(event.payload.toString())] : []));
}

/** The final answer, once it is there, read as Zuul does, with what must hold for every build. */
export async function answerOf(build: SubmittedBuild): Promise<Answer> {
  const end = await build.end();
  const { items } = build.events;
  const data = dataOf(build);
  const last = data.at(-1) ?? {};
  assert.deepEqual([items[0]?.kind, items[1]?.kind], ["created", "data"], "WORK_DATA comes before anything else");
  assert.equal(items.filter(({ kind }) => ["complete", "fail", "exception", "lost"].includes(kind)).length, 1, "there is one end");
  assert.equal(items.at(-1), end, "nothing comes after the end");
  for (const each of data) assert.ok(each.name && each.number && each.manager && each.url, "every WORK_DATA is whole");
  for (const each of data.slice(0, -1)) assert.equal("result" in each, false, "no result before the end");
  const result = typeof last.result === "string" ? last.result : null;
  if (end.kind === "complete")
    assert.deepEqual(JSON.parse(end.payload.toString()), last, "WORK_COMPLETE says what the last WORK_DATA says");
  assert.equal(end.kind, result === null ? "fail" : "complete", "no result is WORK_FAIL, any other is WORK_COMPLETE");
  return { result, kind: end.kind, data: last };
}

/** The verdict and delivery as the Job records them. */
export function recordOf(job: StoredObject): { rule: string | undefined; result: unknown; isDelivered: boolean } {
  const { annotations = {} } = job.metadata;
  const verdict = JSON.parse(annotations["turbo-hipster.io/verdict"] ?? "{}");
  return { rule: verdict.rule, result: verdict.result, isDelivered: annotations["turbo-hipster.io/delivered"] !== undefined };
}

/** Its token tells the replica's calls from others'. */
async function writeKubeconfig(kube: FakeKube, address: string | undefined, index: number): Promise<string> {
  const kubeconfig = JSON.parse(await readFile(kube.kubeconfig, "utf8"));
  if (address) kubeconfig.clusters[0].cluster.server = `http://${address}`;
  kubeconfig.users[0].user = { token: tokenOf(index) };
  const path = join(kube.directory, `kubeconfig-${index}`);
  await writeFile(path, JSON.stringify(kubeconfig));
  return path;
}

function tokenOf(index: number): string {
  return `operator-${index}`;
}

interface ReplicaParts {
  operator: Operator;
  index: number;
  api: TcpProxy | undefined;
  link: TcpProxy;
  kube: FakeKube;
  log: Inbox<LogLine>;
}

function makeReplica({ operator, index, api, link, kube, log }: ReplicaParts): StagedReplica {
  const isMine = (line: LogLine, message: string) => line.fields.operator === index && line.message === message;
  const replica: StagedReplica = {
    operator,
    get api() {
      assert.ok(api, "the stage was started with proxiesApi");
      return api;
    },
    get name() {
      const ready = log.items.find((line) => isMine(line, "is ready"));
      assert.ok(ready, "the replica is ready");
      return String(ready.fields.replica);
    },
    get link() {
      return link.of(`/${replica.name}/`);
    },
    get manager() {
      return link.of(`/${replica.name}/manager`);
    },
    calls: (match = {}) =>
      kube.calls.filter(
        ({ headers, ...call }) =>
          headers.authorization === `Bearer ${tokenOf(index)}` &&
          Object.entries(match).every(([field, value]) => call[field as keyof typeof match] === value),
      ),
    logged: (message, skip = 0) => logged(log, (line) => isMine(line, message), skip, message),
    count: (message) => log.items.filter((line) => isMine(line, message)).length,
  };
  return replica;
}

async function logged(log: Inbox<LogLine>, isMeant: (line: LogLine) => boolean, skip: number, what: string): Promise<LogLine> {
  const matching = () => log.items.filter(isMeant);
  // What is logged again and again meanwhile must not make it wait for ever.
  await within(
    log.until(() => matching().length > skip),
    () => "too late",
    LONGEST_WAIT_MS,
  ).catch((error) => assert.fail(`no "${what}" was logged: ${error}\n${tail(log)}`));
  await turn();
  return matching()[skip] as LogLine;
}

/** Lets whoever logged come to its next wait: time that is skipped before that does not count for it. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function tail(log: Inbox<LogLine>): string {
  return log.items
    .slice(-15)
    .map(({ level, message, fields }) => `${level} ${message} ${JSON.stringify(fields)}`)
    .join("\n");
}

function makeInboxLogger(log: Inbox<LogLine>, bound: object = {}): Logger {
  const at = (level: string) => (fields: object, message: string) => {
    const { err, ...rest } = { ...bound, ...fields } as { err?: Error };
    log.push({ level, message, fields: { ...rest, ...(err ? { error: err.message } : {}) } });
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => makeInboxLogger(log, { ...bound, ...fields }),
  };
}
