import type { TemplateReview } from "../../core/job/template-review.ts";
import type { KubeObject } from "../../core/kubernetes/objects.ts";
import { renderTestTaskStatus, type ServerRegistration, type StatusFacts } from "../../core/task-status/conditions.ts";
import type { TestTaskEvent } from "../../core/task-status/events.ts";
import type { LaneFacts } from "../../core/test-task/lanes.ts";
import type { TestTaskStatus } from "../../core/test-task/schema/status.ts";
import { decideServedFunctions, type ServedFunctions } from "../../core/test-task/served-functions.ts";
import { parseTestTask, type TestTask, type TestTaskParseResult, testTaskKey } from "../../core/test-task/test-task.ts";
import type { Verdict } from "../../core/verdict/verdict.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Loop } from "../../runtime/loop.ts";
import type { Service } from "../../runtime/service.ts";
import type { Slot } from "../../runtime/slot.ts";
import { earliest } from "../../runtime/wakeup.ts";
import type { EventTarget, Tasks } from "../ports.ts";
import { DegradedTasks } from "./degraded-tasks.ts";
import { HeldBackTasks } from "./held-back-tasks.ts";
import { KeptNames, type NameStore } from "./kept-names.ts";
import { type TaskLane, TaskLanes, type TaskPools } from "./task-lanes.ts";
import { STATUS_INTERVAL_MS, TestTaskStatuses } from "./test-task-statuses.ts";

/** Builds that wait for a node this long are told of in the task's status. */
const TOLD_AFTER_MS = 60_000;

/** The status of a new or edited task waits so long for what the API server says of it: it may be written once in five seconds only. */
const REVIEW_PATIENCE_MS = 2000;

export interface TestTasksOptions {
  cluster: {
    tasks: {
      cachedTestTasks(): Iterable<KubeObject>;
      writeStatus(namespace: string, name: string, status: TestTaskStatus, signal: AbortSignal): Promise<void>;
    };
    namespaces: LaneFacts["namespaces"];
    /** Where the names of functions are kept over restarts. */
    names: NameStore;
  };
  gearman: {
    link: {
      readonly servers: readonly ServerRegistration[];
      /** Called with all that Gearman must know whenever that may have changed. */
      setRegistrations(registrations: { functions: readonly string[]; lanes: readonly TaskLane[] }): void;
    };
    pools: TaskPools;
  };
  /** What the API server says of the tasks' Jobs and pods. */
  reviews: {
    setTasks(tasks: ReadonlyMap<string, TestTask>): void;
    of(task: TestTask): TemplateReview | undefined;
    awaitedMs(task: TestTask): number | undefined;
  };
  events: { note(task: EventTarget, event: TestTaskEvent): void };
  limits: { maxPending: number; maxBuilds: number };
  builds: {
    readonly active: ReadonlyMap<string, number>;
    readonly pending: number;
    readonly pendingByTask: ReadonlyMap<string, number>;
    waitOf(taskKey: string): { builds: number; first: { words: string; sinceMs: number } } | undefined;
    activeOf(taskKey: string): number;
    lastOf(taskKey: string): TestTaskStatus["lastBuild"];
    /** No other tasks are there any more. */
    keep(taskKeys: { has(taskKey: string): boolean }): void;
  };
  /** Whether this replica takes builds and tells of the tasks; any other only keeps their functions registered. */
  isHolder(): boolean;
  clock: Clock;
  logger: Logger;
}

/** Keeps Gearman's registrations in step with the TestTasks, and the TestTasks' status in step with what happens. */
export class TestTasks implements Service, Tasks {
  readonly #options: TestTasksOptions;
  /** Waits for nobody: an API server that is slow to take statuses keeps no function from being registered. */
  readonly #registering: Loop;
  /** What the holder writes down: the names of functions, and statuses. */
  readonly #writing: Loop;
  readonly #stopping = new AbortController();
  readonly #parsed = new WeakMap<object, TestTaskParseResult>();
  readonly #lanes: TaskLanes;
  readonly #names: KeptNames;
  readonly #statuses: TestTaskStatuses;
  readonly #degraded: DegradedTasks;
  readonly #heldBack: HeldBackTasks;
  /** As read last: what `#served` was decided from, and what statuses are told of, though others may have come meanwhile. */
  #objects: readonly KubeObject[] = [];
  #tasks = new Map<string, TestTask>();
  #served: ServedFunctions = { byFunction: new Map(), byTask: new Map() };
  #beginning: Promise<void> | undefined;
  #isRegistering: boolean = false;

  constructor(options: TestTasksOptions) {
    const { cluster, gearman, events, clock, logger } = options;
    this.#options = options;
    this.#registering = new Loop(clock, () => this.#tried(() => this.#register()));
    this.#writing = new Loop(clock, (signal) => this.#tried(() => this.#write(signal)));
    this.#names = new KeptNames({ store: cluster.names, clock, logger });
    this.#degraded = new DegradedTasks({ clock, logger });
    this.#heldBack = new HeldBackTasks(clock);
    this.#lanes = new TaskLanes(gearman.pools, {
      degradedOf: (taskKey) => this.#degraded.of(taskKey),
      heldBackOf: (taskKey) => this.#heldBack.of(taskKey),
    });
    this.#statuses = new TestTaskStatuses({
      write: (...status) => cluster.tasks.writeStatus(...status),
      onNews: (task, event) => events.note(task, event),
      clock,
      logger,
    });
  }

  /** Call it once the cache of TestTasks is filled: until then nothing is registered. */
  async start(): Promise<void> {
    this.#readTasks();
    this.#beginning ??= this.#begin();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#beginning, this.#registering.stop(), this.#writing.stop()]);
  }

  /** A TestTask, a link, a build of a task or the role of this replica has changed. */
  wake(): void {
    this.#registering.wake();
  }

  /** One more namespace is known: its builds may be taken. */
  noteNamespace(): void {
    if (!this.#beginning) return;
    this.#readTasks();
    this.wake();
  }

  /** The pools that builds are counted in now, and how full they are. */
  get pools(): { name: string; used: number; capacity: number }[] {
    return this.#lanes.pools;
  }

  find(functionName: string): TestTask | undefined {
    const served = this.#served.byFunction.get(functionName);
    return served ? this.#tasks.get(served.task) : undefined;
  }

  /** Call it after `start`. */
  occupy(taskKey: string): Slot {
    return this.#lanes.occupy(taskKey);
  }

  count(taskKey: string, slot: Slot): Slot {
    return this.#lanes.count(taskKey, slot);
  }

  /** Tells whoever keeps the task that builds of it end as CONFIG_ERROR. The holder does, which sees the end of others' builds, too. */
  noteRefusal(taskKey: string, why: string): void {
    this.#warn(taskKey, "BuildRefused", why);
  }

  /** Tells whoever keeps the task that builds of it wait for room in a quota. */
  noteWaiting(taskKey: string, why: string): void {
    this.#warn(taskKey, "QuotaFull", `a build waits for room: ${why}`);
  }

  #warn(taskKey: string, reason: string, message: string): void {
    if (!this.#options.isHolder()) return;
    const metadata = this.#tasks.get(taskKey)?.metadata;
    if (!metadata?.uid) return;
    const { namespace, name, uid } = metadata;
    this.#options.events.note({ namespace, name, uid }, { type: "Warning", reason, message });
  }

  /** What a build of this task came to: several in a row that could not be carried out, and the task is taken slowly. */
  noteVerdict(taskKey: string, verdict: Verdict): void {
    const wasDegraded = this.#degraded.of(taskKey) !== undefined;
    this.#degraded.note(taskKey, verdict);
    if (!wasDegraded && !this.#degraded.of(taskKey)) return;
    // At once, as the build's own place is about to be free; the task's lane follows.
    this.#lanes.notePace(taskKey);
    this.wake();
  }

  /**
   * Builds have begun, have a node by now, or have ended: whose builds wait may have to wait with the next one. At once, since the lane that
   * brought a build asks for the next one right after it.
   */
  noteShares(): void {
    const { builds, limits } = this.#options;
    // A task that is alone takes nothing from anybody.
    const waiting = this.#served.byTask.size > 1 ? builds.pendingByTask : new Map<string, number>();
    const active = [...builds.active.values()].reduce((sum, count) => sum + count, 0);
    const changed = this.#heldBack.weigh(waiting, { ...limits, allWaiting: builds.pending, active });
    for (const taskKey of changed) this.#lanes.notePace(taskKey);
    if (changed.length > 0 && this.#isRegistering) void this.#tried(() => this.#register());
  }

  async #begin(): Promise<void> {
    await this.#names.load(this.#stopping.signal);
    this.#isRegistering = true;
    await Promise.all([this.#registering.start(), this.#writing.start()]);
  }

  /** A round of a loop, which goes on after an unexpected error. */
  async #tried(round: () => Promise<number | undefined>): Promise<number | undefined> {
    try {
      return await round();
    } catch (error) {
      this.#options.logger.error({ err: coerceError(error) }, "retries after an unexpected error with the TestTasks");
      return STATUS_INTERVAL_MS;
    }
  }

  /** Reads all TestTasks and tells Gearman what they serve. Resolves to when that changes by itself. */
  async #register(): Promise<number | undefined> {
    const { cluster, gearman, isHolder } = this.#options;
    try {
      this.#readTasks();
      this.#names.renew(this.#served.byFunction.keys());
      // Those that are served now come from the tasks: there may be more than names that are kept.
      const functions = [...new Set([...this.#served.byFunction.keys(), ...this.#names.keys()])];
      const facts = { tasks: this.#tasks, served: this.#served, registered: this.#names.keys(), namespaces: cluster.namespaces };
      gearman.link.setRegistrations({ functions, lanes: this.#lanes.decide(isHolder() ? facts : undefined) });
      return isHolder() ? this.#degradedMs() : undefined;
    } finally {
      this.#writing.wake();
    }
  }

  async #write(signal: AbortSignal): Promise<number | undefined> {
    if (!this.#options.isHolder()) return undefined;
    const namesMs = await this.#names.save(signal);
    // Names that were read come to be registered.
    if (namesMs === 0) this.wake();
    return earliest(namesMs, await this.#writeStatuses(signal), this.#waitingMs());
  }

  #readTasks(): void {
    const tasks = new Map<string, TestTask>();
    this.#objects = [...this.#options.cluster.tasks.cachedTestTasks()];
    for (const object of this.#objects) {
      const parsed = this.#parse(object);
      if (parsed.ok && !object.metadata.deletionTimestamp) tasks.set(testTaskKey(parsed.task), parsed.task);
    }
    this.#tasks = tasks;
    this.#served = decideServedFunctions([...tasks.values()]);
    this.#options.reviews.setTasks(this.#options.isHolder() ? tasks : new Map());
  }

  /** When the next task that is taken slowly may be taken again, or as always. */
  #degradedMs(): number | undefined {
    return earliest(...[...this.#tasks.keys()].map((key) => this.#degraded.of(key)?.changesInMs));
  }

  #parse(object: KubeObject): TestTaskParseResult {
    let parsed = this.#parsed.get(object);
    if (!parsed) {
      parsed = parseTestTask(object);
      this.#parsed.set(object, parsed);
    }
    return parsed;
  }

  async #writeStatuses(signal: AbortSignal): Promise<number | undefined> {
    const objects = this.#objects;
    const present = new Set(objects.map(({ metadata: { namespace = "default", name } }) => `${namespace}/${name}`));
    this.#lanes.keep(present);
    this.#degraded.keep(present);
    this.#options.builds.keep(present);
    return this.#statuses.write(objects, (object, previous) => this.#status(object, previous), signal);
  }

  /** What no node takes of this task's, once that holds it back or has lasted. */
  #waiting(taskKey: string): StatusFacts["waiting"] {
    const { builds, clock } = this.#options;
    const wait = builds.waitOf(taskKey);
    const isHeldBack = this.#heldBack.of(taskKey)?.isPaused ?? false;
    if (!wait || (!isHeldBack && clock.monotonicMs() - wait.first.sinceMs < TOLD_AFTER_MS)) return undefined;
    return { builds: wait.builds, words: wait.first.words, isHeldBack };
  }

  /** When the next task is to be told of that has builds that no node takes. */
  #waitingMs(): number | undefined {
    const { builds, clock } = this.#options;
    const due = [...builds.pendingByTask.keys()].flatMap((key) => builds.waitOf(key)?.first.sinceMs ?? []);
    const leftMs = due.map((sinceMs) => sinceMs + TOLD_AFTER_MS - clock.monotonicMs()).filter((ms) => ms > 0);
    return earliest(...leftMs);
  }

  /** A status, or in how many milliseconds to ask again. */
  #status(object: KubeObject, previous: TestTaskStatus | undefined): TestTaskStatus | number {
    const { gearman, builds, reviews, clock } = this.#options;
    const { namespace = "default", name, generation } = object.metadata;
    const key = `${namespace}/${name}`;
    const parsed = this.#parse(object);
    const awaitedMs = parsed.ok ? reviews.awaitedMs(parsed.task) : undefined;
    if (awaitedMs !== undefined && awaitedMs < REVIEW_PATIENCE_MS) return REVIEW_PATIENCE_MS - awaitedMs;
    return renderTestTaskStatus(
      {
        generation,
        task: parsed.ok ? parsed.task : { problems: parsed.problems.map(({ path, message }) => `${path} ${message}`) },
        functions: this.#served.byTask.get(key) ?? { functions: [], conflicts: [] },
        review: parsed.ok ? reviews.of(parsed.task) : undefined,
        servers: gearman.link.servers,
        active: builds.activeOf(key),
        lastBuild: builds.lastOf(key),
        degraded: this.#degraded.of(key),
        waiting: this.#waiting(key),
        previous,
      },
      clock.now(),
    );
  }
}
