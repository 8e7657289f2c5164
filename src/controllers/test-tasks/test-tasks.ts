import type { TemplateReview } from "../../core/job/template-review.ts";
import type { KubeObject } from "../../core/kubernetes/objects.ts";
import { renderTestTaskStatus, type ServerRegistration } from "../../core/task-status/conditions.ts";
import type { TestTaskEvent } from "../../core/task-status/events.ts";
import { describeInvalidTask } from "../../core/test-task/invalid-task.ts";
import type { LaneFacts } from "../../core/test-task/lanes.ts";
import type { TestTaskStatus } from "../../core/test-task/schema/status.ts";
import { type TestTask, testTaskKey } from "../../core/test-task/test-task.ts";
import type { Verdict } from "../../core/verdict/verdict.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Loop } from "../../runtime/loop.ts";
import type { Service } from "../../runtime/service.ts";
import type { Slot } from "../../runtime/slot.ts";
import { Throttle } from "../../runtime/throttle.ts";
import { earliest } from "../../runtime/wakeup.ts";
import type { EventTarget, RefusedFunction, Tasks } from "../ports.ts";
import { DegradedTasks } from "./degraded-tasks.ts";
import { HeldBackTasks } from "./held-back-tasks.ts";
import { KeptNames, type NameStore } from "./kept-names.ts";
import { KnownTasks } from "./known-tasks.ts";
import { type TaskLane, TaskLanes, type TaskPools } from "./task-lanes.ts";
import { STATUS_INTERVAL_MS, TestTaskStatuses } from "./test-task-statuses.ts";
import { WaitingTasks, type WaitingTasksOptions } from "./waiting-tasks.ts";

/** The status of a new or edited task waits so long for what the API server says of it: it may be written once in five seconds only. */
const REVIEW_PATIENCE_MS = 2000;
/** Builds that come by the hundred change what statuses say at each step of each of them: it is looked at no more often than this. */
const LEAST_WRITING_MS = 100;

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
  builds: WaitingTasksOptions["builds"] & {
    readonly active: ReadonlyMap<string, number>;
    readonly pending: number;
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
  /** For what builds change of it. */
  readonly #telling: Throttle;
  readonly #stopping = new AbortController();
  /** As read last, though others may have come meanwhile. */
  readonly #known = new KnownTasks();
  readonly #lanes: TaskLanes;
  readonly #names: KeptNames;
  readonly #statuses: TestTaskStatuses;
  readonly #degraded: DegradedTasks;
  readonly #heldBack: HeldBackTasks;
  readonly #waiting: WaitingTasks;
  #beginning: Promise<void> | undefined;
  #isRegistering: boolean = false;

  constructor(options: TestTasksOptions) {
    const { cluster, gearman, events, clock, logger } = options;
    this.#options = options;
    this.#registering = new Loop(clock, () => this.#tried(() => this.#register()));
    this.#writing = new Loop(clock, (signal) => this.#tried(() => this.#write(signal)));
    this.#telling = new Throttle({ leastMs: LEAST_WRITING_MS, clock, work: () => this.#writing.wake() });
    this.#names = new KeptNames({ store: cluster.names, clock, logger });
    this.#degraded = new DegradedTasks({ clock, logger });
    this.#heldBack = new HeldBackTasks(clock);
    this.#waiting = new WaitingTasks({ builds: options.builds, isHeldBack: (key) => this.#heldBack.of(key)?.isPaused ?? false, clock });
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
    this.#telling.cancel();
    await Promise.all([this.#beginning, this.#registering.stop(), this.#writing.stop()]);
  }

  /** A TestTask, a link or the role of this replica has changed. */
  wake(): void {
    this.#registering.wake();
  }

  /** A build of a task has come, ended, or got its verdict: statuses tell of it. */
  noteActivity(): void {
    if (!this.#stopping.signal.aborted) this.#telling.ask();
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
    return this.#known.find(functionName);
  }

  refusalOf(functionName: string): RefusedFunction | undefined {
    const task = this.#known.served.refused.get(functionName);
    return task && { taskKey: testTaskKey(task), why: describeInvalidTask(task) };
  }

  /** Call it after `start`. */
  occupy(taskKey: string): Slot {
    return this.#lanes.occupy(taskKey);
  }

  mayBegin(taskKey: string): boolean {
    return this.#lanes.mayBegin(taskKey);
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
    const task = this.#options.isHolder() ? this.#known.eventTarget(taskKey) : undefined;
    if (task) this.#options.events.note(task, { type: "Warning", reason, message });
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
    const waiting = this.#known.served.byTask.size > 1 ? builds.pendingByTask : new Map<string, number>();
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
      const { valid: tasks, served, functions: named } = this.#known;
      this.#names.renew(named);
      // Those that tasks name now come from the tasks: there may be more than names that are kept.
      const functions = [...new Set([...named, ...this.#names.keys()])];
      const facts = { tasks, served, registered: this.#names.keys(), namespaces: cluster.namespaces };
      gearman.link.setRegistrations({ functions, lanes: this.#lanes.decide(isHolder() ? facts : undefined) });
      return isHolder() ? this.#degradedMs() : undefined;
    } finally {
      this.#writing.wake();
    }
  }

  async #write(signal: AbortSignal): Promise<number | undefined> {
    this.#telling.noteRun();
    if (!this.#options.isHolder()) return undefined;
    const namesMs = await this.#names.save(signal);
    // Names that were read come to be registered.
    if (namesMs === 0) this.wake();
    return earliest(namesMs, await this.#writeStatuses(signal), this.#waiting.nextMs());
  }

  #readTasks(): void {
    this.#known.read(this.#options.cluster.tasks.cachedTestTasks());
    this.#options.reviews.setTasks(this.#options.isHolder() ? this.#known.valid : new Map());
  }

  /** When the next task that is taken slowly may be taken again, or as always. */
  #degradedMs(): number | undefined {
    return earliest(...[...this.#known.valid.keys()].map((key) => this.#degraded.of(key)?.changesInMs));
  }

  async #writeStatuses(signal: AbortSignal): Promise<number | undefined> {
    const { objects } = this.#known;
    const present = new Set(objects.map(({ metadata: { namespace = "default", name } }) => `${namespace}/${name}`));
    this.#lanes.keep(present);
    this.#degraded.keep(present);
    this.#options.builds.keep(present);
    return this.#statuses.write(objects, (object, previous) => this.#status(object, previous), signal);
  }

  /** A status, or in how many milliseconds to ask again. */
  #status(object: KubeObject, previous: TestTaskStatus | undefined): TestTaskStatus | number {
    const { gearman, builds, reviews, clock } = this.#options;
    const { namespace = "default", name, generation } = object.metadata;
    const key = `${namespace}/${name}`;
    const { isValid, task } = this.#known.stored(object);
    const awaitedMs = isValid ? reviews.awaitedMs(task) : undefined;
    if (awaitedMs !== undefined && awaitedMs < REVIEW_PATIENCE_MS) return REVIEW_PATIENCE_MS - awaitedMs;
    return renderTestTaskStatus(
      {
        generation,
        task,
        functions: this.#known.served.byTask.get(key) ?? { functions: [], conflicts: [] },
        review: isValid ? reviews.of(task) : undefined,
        servers: gearman.link.servers,
        active: builds.activeOf(key),
        lastBuild: builds.lastOf(key),
        degraded: this.#degraded.of(key),
        waiting: this.#waiting.of(key),
        previous,
      },
      clock.now(),
    );
  }
}
