import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates } from "../../../deploy/local/certificates.ts";
import { PODS, type Resource } from "../../../src/kube/client/resource.ts";
import { makeApiServer } from "./api-server.ts";
import { type DeleteRequest, type FakeStore, makeFakeStore, type StoreChange } from "./fake-store.ts";
import { type CallMatch, type FakeCall, type Fault, type FaultEffect, makeFaultPlan, matches } from "./fault-plan.ts";
import { makePodLogs, type PodLogs } from "./pod-logs.ts";
import { BUILT_IN_RULES, type ResourceRules, type StoredObject } from "./resource-rules.ts";
import type { FieldProblem } from "./status-error.ts";
import { subjectReviewRules } from "./subject-reviews.ts";
import { makeWatchStreams, type WatchStreams } from "./watch-streams.ts";

export interface FakeKubeOptions {
  /** Custom resources beside the built-in ones and TestTasks. */
  readonly resources?: readonly ResourceRules[];
  /** A custom resource's schema, by plural: its problems become a 422. */
  readonly validate?: Readonly<Record<string, (object: StoredObject) => FieldProblem[]>>;
  /** HTTPS with HTTP/2, as a real API server; plain HTTP/1.1 otherwise. Takes `openssl`. */
  readonly tls?: boolean;
}

/**
 * A strict API server for what a real one will not do on command. Its semantics are pinned by tests/contract, which runs against a real
 * one, too. No controller runs in it: the test plays them (see `playNode`).
 */
export interface FakeKube extends AsyncDisposable {
  readonly url: string;
  /** Path of a kubeconfig for the real client: context `fake`, user `tester` with token `token-1`. */
  readonly kubeconfig: string;
  /** A directory of its own, gone with it. */
  readonly directory: string;
  readonly watches: WatchStreams;
  readonly logs: PodLogs;
  readonly version: number;

  create(resource: Resource, namespace: string, body: object): StoredObject;
  get(resource: Resource, namespace: string, name: string): StoredObject;
  find(resource: Resource, namespace: string, name: string): StoredObject | undefined;
  list(resource: Resource, namespace?: string): StoredObject[];
  patch(resource: Resource, namespace: string, name: string, patch: object): StoredObject;
  patchStatus(resource: Resource, namespace: string, name: string, status: object): StoredObject;
  delete(resource: Resource, namespace: string, name: string, request?: DeleteRequest): void;
  /** Gone at once, finalizers and grace or not. */
  remove(resource: Resource, namespace: string, name: string): void;
  /** What the scheduler does. */
  bind(namespace: string, pod: string, nodeName: string): void;
  subscribe(listener: (change: StoreChange) => void): () => void;
  /** Forgets history, as etcd's compaction: older watches, versions and pages get 410. */
  compact(): void;
  /** Lets the version grow without a change of what is watched. */
  bump(): void;

  /** Every call so far, in order of arrival. */
  readonly calls: readonly FakeCall[];
  /** The next call that matches, once it has arrived or been answered. */
  nextCall(match: CallMatch, event?: "arrived" | "answered"): Promise<FakeCall>;
  /** The next `times` matching calls (1) go wrong. */
  misbehave(match: CallMatch, effect: FaultEffect, times?: number): Fault;
  /** TCP connections: accepted so far, and open now. */
  readonly connections: { readonly total: number; readonly open: number };
  /** Resolves when no connection is open any more; rejects after 5 s. */
  disconnected(): Promise<void>;
  /** Breaks all connections. */
  cutConnections(): void;
  /** From now on, whoever asks for it is told that `verb resource` is forbidden to him; the call itself is not refused. */
  forbid(right: string): void;
  /** Bearer tokens that are let in from now on; everything before the first call. */
  acceptTokens(tokens: readonly string[]): void;
  /** With tls: a new authority and certificate from now on; returns the authority's PEM. */
  rotateCertificates(): Promise<string>;
  writeKubeconfig(changes?: { token?: string; caFile?: string; user?: object }): Promise<void>;
}

export async function startFakeKube(options: FakeKubeOptions = {}): Promise<FakeKube> {
  const forbidden = new Set<string>();
  const rules = [...(options.resources ?? []), ...BUILT_IN_RULES, ...subjectReviewRules(forbidden)].map((each) => {
    const checkCreate = options.validate?.[each.plural] ?? each.checkCreate;
    return checkCreate === undefined ? each : { ...each, checkCreate };
  });
  const directory = await mkdtemp(join(tmpdir(), "fake-kube-"));
  const store = makeFakeStore();
  const watches = makeWatchStreams(store);
  const logs = makePodLogs();
  const faults = makeFaultPlan();
  const calls: FakeCall[] = [];
  const waiting = new Set<{ match: CallMatch; event: string; resolve(call: FakeCall): void }>();
  let accepted: readonly string[] | undefined;

  function onCall(call: FakeCall, event: "arrived" | "answered"): void {
    if (event === "arrived") calls.push(call);
    for (const waiter of waiting) {
      if (waiter.event !== event || !matches(waiter.match, call)) continue;
      waiting.delete(waiter);
      waiter.resolve(call);
    }
  }

  const isAuthorized = (header: string | undefined) => accepted === undefined || accepted.some((token) => header === `Bearer ${token}`);
  const listener = makeApiServer({ store, rules, watches, logs, faults, version: "v1.36.3", isAuthorized, onCall });
  const server = options.tls ? await makeTlsServer(directory) : createServer({ keepAliveTimeout: 0 });
  server.on("request", listener as (...args: unknown[]) => void);
  const connections = countConnections(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `${options.tls ? "https" : "http"}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const kubeconfig = join(directory, "kubeconfig");
  const rulesOf = (resource: Resource) => findRules(rules, resource);

  const fake: FakeKube = {
    url,
    kubeconfig,
    directory,
    watches,
    logs,
    calls,
    connections,
    get version() {
      return store.version;
    },
    ...objectAccess(store, rulesOf),
    subscribe: store.subscribe,
    compact: store.compact,
    bump: () => void store.bump(),
    nextCall: (match, event = "answered") => new Promise((resolve) => waiting.add({ match, event, resolve })),
    misbehave: (match, effect, times = 1) => faults.add(match, effect, times),
    disconnected: () => connections.gone(),
    cutConnections: () => connections.cut(),
    forbid: (right) => void forbidden.add(right),
    acceptTokens(tokens) {
      accepted = tokens;
    },
    async rotateCertificates() {
      await makeCertificates(directory, [SERVER_CERTIFICATE]);
      (server as Http2SecureServer).setSecureContext(await readServerCertificate(directory));
      return readFile(join(directory, "ca.crt"), "utf8");
    },
    async writeKubeconfig({ token = "token-1", caFile = join(directory, "ca.crt"), user = { token } } = {}) {
      const cluster = options.tls
        ? { server: url, "certificate-authority-data": (await readFile(caFile)).toString("base64") }
        : { server: url, "insecure-skip-tls-verify": true };
      await writeFile(kubeconfig, JSON.stringify(renderKubeconfig(cluster, user)));
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      connections.cut();
      await closed;
      await rm(directory, { recursive: true, force: true });
    },
  };
  await fake.writeKubeconfig();
  return fake;
}

function renderKubeconfig(cluster: object, user: object): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "fake",
    clusters: [{ name: "fake", cluster }],
    users: [{ name: "tester", user }],
    contexts: [{ name: "fake", context: { cluster: "fake", user: "tester" } }],
  };
}

function findRules(rules: readonly ResourceRules[], { group, version, plural }: Resource): ResourceRules {
  const found = rules.find((each) => each.group === group && each.version === version && each.plural === plural);
  if (found === undefined) throw new Error(`the fake API server has no ${plural}.${group}/${version}; give it in options.resources`);
  return found;
}

function objectAccess(store: FakeStore, rulesOf: (resource: Resource) => ResourceRules) {
  return {
    create: (resource: Resource, namespace: string, body: object) => store.create(rulesOf(resource), namespace, body as StoredObject),
    get: (resource: Resource, namespace: string, name: string) => store.get(rulesOf(resource), namespace, name),
    find: (resource: Resource, namespace: string, name: string) => store.find(rulesOf(resource), namespace, name),
    list: (resource: Resource, namespace?: string) => store.list(rulesOf(resource), namespace),
    patch: (resource: Resource, namespace: string, name: string, patch: object) => store.patch(rulesOf(resource), namespace, name, patch),
    patchStatus: (resource: Resource, namespace: string, name: string, status: object) =>
      store.patch(rulesOf(resource), namespace, name, { status }, "status"),
    delete: (resource: Resource, namespace: string, name: string, request?: DeleteRequest) =>
      void store.delete(rulesOf(resource), namespace, name, request),
    remove: (resource: Resource, namespace: string, name: string) => store.remove(rulesOf(resource), namespace, name),
    bind: (namespace: string, pod: string, nodeName: string) => store.bind(rulesOf(PODS), namespace, pod, nodeName),
  };
}

const SERVER_CERTIFICATE = { file: "server", subject: "/CN=fake-kube", alternativeNames: ["IP:127.0.0.1", "DNS:kube.example"] };

async function makeTlsServer(directory: string): Promise<Http2SecureServer> {
  await makeCertificates(directory, [SERVER_CERTIFICATE]);
  return createSecureServer({ ...(await readServerCertificate(directory)), allowHTTP1: true });
}

async function readServerCertificate(directory: string): Promise<{ cert: Buffer; key: Buffer }> {
  const [cert, key] = await Promise.all(["server.crt", "server.key"].map((file) => readFile(join(directory, file))));
  return { cert: cert as Buffer, key: key as Buffer };
}

function countConnections(server: Server | Http2SecureServer) {
  const open = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const waiting = new Set<() => void>();
  let total = 0;
  server.on("connection", (socket: Socket) => {
    total += 1;
    open.add(socket);
    socket.on("close", () => {
      open.delete(socket);
      if (open.size === 0) for (const tell of waiting) tell();
    });
  });
  server.on("session", (session: ServerHttp2Session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {});
  });
  return {
    get total() {
      return total;
    },
    get open() {
      return open.size;
    },
    gone(): Promise<void> {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const timer = setTimeout(() => reject(new Error(`${open.size} connections are left open`)), 5_000);
      waiting.add(resolve);
      if (open.size === 0) resolve();
      return promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(resolve);
      });
    },
    cut() {
      for (const session of sessions) session.destroy();
      for (const socket of open) socket.destroy();
    },
  };
}
