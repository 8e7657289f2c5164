import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { type Child, startChild, untilReady } from "../child-process.ts";
import { ensurePythonVenv } from "./python-venv.ts";

/** What a build is for. `ref` of a change is the build set's (`Z` + 32 hex digits, a fresh one by default): ZUUL_REF becomes `refs/zuul/<branch>/<ref>`. */
export type ZuulItem =
  | { kind: "change"; branch?: string; number?: number; patchset?: number; ref?: string; commit?: string | null }
  | { kind: "ref"; refname: string; oldrev: string; newrev: string }
  | { kind: "timer" };

export interface ZuulBuildSpec {
  /** Zuul's job name, without `build:`. */
  job: string;
  /** Default `openstack/nova`. */
  project?: string;
  /** Default `check`. */
  pipeline?: string;
  /** ZUUL_URL, default `http://zuul.example.org/p`. */
  url?: string | null;
  /** Default: change 1234, patchset 1, of branch `master`. */
  item?: ZuulItem;
  /** Launches before RETRY_LIMIT, default 3. */
  attempts?: number;
  voting?: boolean;
  precedence?: "low" | "normal" | "high";
  /** What a parameter-function sets (any JSON value) and takes away; ZUUL_NODE among them chooses `build:<job>:<node>`. */
  params?: Readonly<Record<string, unknown>>;
  withoutParams?: readonly string[];
}

/** What Zuul knows of a build at that moment. `number` may be any JSON value; `manager` is where it would send `stop:`. */
interface ZuulBuildState {
  uuid: string;
  number: unknown;
  manager: string | null;
  url: string | null;
  worker: { name: string; hostname: unknown; fqdn: unknown; program: unknown; version: unknown; ips: unknown; extra: unknown };
}

interface ZuulNode {
  nodeName: string | null;
  nodeLabels: string[];
}

/** A launch() has returned; without `isSubmitted` nothing was sent (NOT_REGISTERED, RETRY_LIMIT, EXCEPTION). */
type ZuulLaunched = { event: "launched"; uuid: string; isSubmitted: boolean; parameters: Record<string, unknown> };
/** Zuul's onBuildStarted. */
type ZuulStarted = { event: "started" } & ZuulBuildState;
/** A WORK_DATA or WORK_STATUS was read: the last data so far, how many there were, and the last status. */
type ZuulUpdate = {
  event: "update";
  data: string | null;
  dataCount: number;
  numerator: string | null;
  denominator: string | null;
} & ZuulBuildState;
/** Zuul's onBuildCompleted for one launch; never for a cancelled build. */
type ZuulEnded = { event: "ended"; result: unknown; retry: boolean } & ZuulBuildState & ZuulNode;
/** Zuul has forgotten this launch: its final packet came (also after a cancel), or it was never sent. */
type ZuulAnswered = { event: "answered"; uuid: string };
/** Zuul's cancel() has returned, for these launches. */
type ZuulCanceled = { event: "canceled"; uuids: string[] };
/**
 * The item is done: `result` as Zuul would report it ("CANCELED" after `cancel`), `report` the reviewer's line, `uuids` of all
 * launches, `attempts` of which were sent. `review` is the command line for Gerrit (of a change) and `mail` the whole mail, as Zuul's own
 * reporters make them; the name of an exception where one raised it. The rest is the last launch's.
 */
export type ZuulCompleted = {
  event: "completed";
  result: string;
  report: string | null;
  review: string | null;
  mail: string | null;
  attempts: number;
  uuids: string[];
} & ZuulBuildState &
  ZuulNode;
type ZuulEvent = ZuulLaunched | ZuulStarted | ZuulUpdate | ZuulEnded | ZuulAnswered | ZuulCanceled | ZuulCompleted;

export interface ZuulBuild {
  /** The first start; rejects when the item is done without one. */
  readonly started: Promise<ZuulStarted>;
  /** Stays open where Zuul hangs (a result of "", a last payload that is no JSON). */
  readonly completed: Promise<ZuulCompleted>;
  /** All so far, in Zuul's order. */
  readonly events: readonly ZuulEvent[];
  /** The first event, past ones included, that `matches`. */
  waitFor<E extends ZuulEvent["event"]>(event: E, matches?: (event: ZuulEventOf<E>) => boolean): Promise<ZuulEventOf<E>>;
  /** As Zuul does with an item that is removed; resolves when Zuul's cancel() has returned. */
  cancel(): Promise<ZuulCanceled>;
}
type ZuulEventOf<E extends ZuulEvent["event"]> = Extract<ZuulEvent, { event: E }>;

/** A process with Zuul 2.6's own launcher, connected to one Gearman server. All promises of its builds reject when it ends. */
export interface ZuulLauncher extends AsyncDisposable {
  launch(spec: ZuulBuildSpec): ZuulBuild;
  /** The uuids of the launches that Zuul still waits for. */
  unfinished(): Promise<string[]>;
  /** What Zuul logged, its exceptions among it. */
  log(): string;
  /** Resolves when Zuul has logged `text`; rejects after 30 s. */
  logged(text: string): Promise<void>;
  suspend(): void;
  resume(): void;
  /** Ends it; the Gearman server sees the client's connection closed. */
  stop(): Promise<void>;
}

/** Python's imports, the connection and 30 s for `settle`. */
const READY_TIMEOUT_MS = 60_000;
const LOG_TIMEOUT_MS = 30_000;

/**
 * Starts it and resolves when it is connected to `server` ("host:port"). `settle` first waits for the functions as Zuul with its own geard
 * does after a start (5 s without a new one, 30 s at most). `patient` launches nothing while it is not connected, or while the server does
 * not know the function, where Zuul reports EXCEPTION or NOT_REGISTERED.
 */
export async function startZuulLauncher(options: { server: string; settle?: boolean; patient?: boolean }): Promise<ZuulLauncher> {
  const { python } = await ensurePythonVenv();
  const [host = "", port = ""] = options.server.split(":");
  const script = fileURLToPath(new URL("launcher.py", import.meta.url));
  const ready = Promise.withResolvers<void>();
  const builds = new Map<string, ReturnType<typeof makeBuild>>();
  const questions = new Map<string, (uuids: string[]) => void>();
  const child = await startChild({
    command: python,
    args: ["-I", script, host, port, ...(options.settle ? ["settle"] : []), ...(options.patient ? ["patient"] : [])],
    onLine(line) {
      const message = JSON.parse(line);
      if (message.event === "ready") ready.resolve();
      else if (message.event === "unfinished") questions.get(message.id)?.(message.uuids);
      else if (message.event === "error") builds.get(message.id)?.fail(new Error(`Zuul's launcher raised:\n${message.trace}`));
      else builds.get(message.id)?.push(message);
    },
  });
  const ended = child.exited.then(() => {
    const error = new Error(`Zuul's launcher has ended. Its log:\n${child.log()}`);
    for (const build of builds.values()) build.fail(error);
  });
  await untilReady(child, ready.promise, { name: `Zuul's launcher for ${options.server}`, timeoutMs: READY_TIMEOUT_MS });
  const stop = async () => {
    await child.stop();
    await ended;
  };
  return {
    launch(spec) {
      const id = randomUUID();
      const build = makeBuild(child, id);
      builds.set(id, build);
      child.writeLine(JSON.stringify({ op: "launch", id, ...withDefaults(spec) }));
      return build.build;
    },
    async unfinished() {
      const id = randomUUID();
      const { promise, resolve, reject } = Promise.withResolvers<string[]>();
      questions.set(id, resolve);
      child.writeLine(JSON.stringify({ op: "unfinished", id }));
      void ended.then(() => reject(new Error("Zuul's launcher has ended")));
      return promise.finally(() => questions.delete(id));
    },
    log: () => child.log(),
    logged: (text) => child.logged(text, LOG_TIMEOUT_MS),
    suspend: () => child.kill("SIGSTOP"),
    resume: () => child.kill("SIGCONT"),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function withDefaults(spec: ZuulBuildSpec): object {
  const item = spec.item ?? { kind: "change" };
  return {
    job: spec.job,
    project: spec.project ?? "openstack/nova",
    pipeline: spec.pipeline ?? "check",
    url: spec.url === undefined ? "http://zuul.example.org/p" : spec.url,
    attempts: spec.attempts ?? 3,
    voting: spec.voting ?? true,
    precedence: spec.precedence ?? "normal",
    params: spec.params ?? {},
    without: spec.withoutParams ?? [],
    item:
      item.kind === "change" ? { branch: "master", number: 1234, patchset: 1, ref: null, commit: "0123456789".repeat(4), ...item } : item,
  };
}

/** One build's half of the conversation: `push` takes its events, `fail` ends all that still wait. */
function makeBuild(child: Child, id: string) {
  const events: ZuulEvent[] = [];
  const waiters = new Set<{ take(event: ZuulEvent): boolean; reject(error: Error): void }>();
  let failure: Error | undefined;

  const waitFor = <E extends ZuulEvent["event"]>(name: E, matches: (event: ZuulEventOf<E>) => boolean = () => true) => {
    const isIt = (event: ZuulEvent): event is ZuulEventOf<E> => event.event === name && matches(event as ZuulEventOf<E>);
    const past = events.find(isIt);
    if (past) return Promise.resolve(past);
    if (failure) return Promise.reject(failure);
    const { promise, resolve, reject } = Promise.withResolvers<ZuulEventOf<E>>();
    const take = (event: ZuulEvent) => {
      if (!isIt(event)) return false;
      resolve(event);
      return true;
    };
    waiters.add({ take, reject });
    return promise;
  };
  const completed = waitFor("completed");
  const started = Promise.race([
    waitFor("started"),
    completed.then((event) => {
      throw new Error(`Zuul never saw the build start; it ended ${event.result}`);
    }),
  ]);
  // Whoever awaits them sees the rejection; nobody has to.
  completed.catch(() => {});
  started.catch(() => {});
  const build: ZuulBuild = {
    started,
    completed,
    events,
    waitFor,
    cancel() {
      child.writeLine(JSON.stringify({ op: "cancel", id }));
      return waitFor("canceled");
    },
  };
  return {
    build,
    push(event: ZuulEvent) {
      events.push(event);
      for (const waiter of waiters) if (waiter.take(event)) waiters.delete(waiter);
    },
    fail(error: Error) {
      failure = error;
      for (const waiter of waiters) waiter.reject(error);
      waiters.clear();
    },
  };
}
