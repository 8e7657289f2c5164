import type { TemplateReview } from "../../core/job/template-review.ts";
import type { KubeObject } from "../../core/kubernetes/objects.ts";
import { renderTestTaskStatus, type ServerRegistration } from "../../core/task-status/conditions.ts";
import type { TestTaskEvent } from "../../core/task-status/events.ts";
import type { TestTaskStatus } from "../../core/test-task/schema/status.ts";
import { decideServedFunctions, type ServedFunctions } from "../../core/test-task/served-functions.ts";
import { parseTestTask, type TestTask, type TestTaskParseResult, testTaskKey } from "../../core/test-task/test-task.ts";
import type { Verdict } from "../../core/verdict/verdict.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Service } from "../../runtime/service.ts";
import type { Slot } from "../../runtime/slot.ts";
import { earliest, Wakeup } from "../../runtime/wakeup.ts";
import type { EventTarget } from "../ports.ts";
import { DegradedTasks } from "./degraded-tasks.ts";
import { KeptNames, type NameStore } from "./kept-names.ts";
import { STATUS_INTERVAL_MS, TestTaskStatuses } from "./test-task-statuses.ts";

/** Builds at once that are told that no TestTask serves their job any more. */
const RETIRED_SLOTS = 10;

/** The status of a new or edited task waits so long for what the API server says of it: it may be written once in five seconds only. */
const REVIEW_PATIENCE_MS = 2000;

/** A bounded number of builds, as `gearman/` counts them. */
export interface Pool {
  readonly used: number;
  /** Whether one more could be taken. */
  readonly hasRoom: boolean;
  /** Counts a build that runs already, whether or not there is room for it. */
  occupy(): Slot;
  setCapacity(capacity: number): void;
  /** A paused pool hands out nothing. */
  setPaused(isPaused: boolean): void;
}

export interface TaskLane<P extends Pool> {
  name: string;
  functions: readonly string[];
  slots: P;
}

export interface TestTasksOptions<P extends Pool> {
  cluster: {
    cachedTestTasks(): Iterable<KubeObject>;
    writeStatus(namespace: string, name: string, status: TestTaskStatus, signal: AbortSignal): Promise<void>;
  };
  /** Builds of a namespace whose Jobs are not known yet wait: some may be running already. */
  namespaces: { isKnown(namespace: string): boolean; readonly areAllKnown: boolean };
  /** Where the names of functions are kept over restarts. */
  names: NameStore;
  /** What the API server says of the tasks' Jobs and pods. */
  reviews: {
    setTasks(tasks: ReadonlyMap<string, TestTask>): void;
    of(task: TestTask): TemplateReview | undefined;
    awaitedMs(task: TestTask): number | undefined;
  };
  events: { note(task: EventTarget, event: TestTaskEvent): void };
  /** Slots of all tasks without a `maxConcurrent`; the others' pools are its children. */
  pool: P;
  makePool(capacity: number, parent?: P): P;
  /** Called with all that Gearman must know whenever that has changed. */
  onRegistrations(registrations: { functions: string[]; lanes: TaskLane<P>[] }): void;
  servers(): readonly ServerRegistration[];
  /** Whether this replica takes builds and tells of the tasks; any other only keeps their functions registered. */
  isHolder(): boolean;
  builds: {
    activeOf(taskKey: string): number;
    lastOf(taskKey: string): TestTaskStatus["lastBuild"];
  };
  clock: Clock;
  logger: Logger;
}

/** Keeps Gearman's registrations in step with the TestTasks, and the TestTasks' status in step with what happens. */
export class TestTasks<P extends Pool> implements Service {
  readonly #options: TestTasksOptions<P>;
  readonly #wakeup: Wakeup;
  /** There may be something to write. */
  readonly #news: Wakeup;
  readonly #stopping = new AbortController();
  readonly #parsed = new WeakMap<object, TestTaskParseResult>();
  readonly #pools = new Map<string, P>();
  readonly #retiredPool: P;
  readonly #names: KeptNames;
  readonly #statuses: TestTaskStatuses;
  readonly #degraded: DegradedTasks;
  /** As read last: what `#served` was decided from, and what statuses are told of, though others may have come meanwhile. */
  #objects: readonly KubeObject[] = [];
  #tasks = new Map<string, TestTask>();
  #served: ServedFunctions = { byFunction: new Map(), byTask: new Map() };
  #loop: Promise<void> | undefined;

  constructor(options: TestTasksOptions<P>) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
    this.#news = new Wakeup(options.clock);
    this.#retiredPool = options.makePool(RETIRED_SLOTS);
    this.#names = new KeptNames({ store: options.names, clock: options.clock, logger: options.logger });
    this.#degraded = new DegradedTasks({ clock: options.clock, logger: options.logger });
    this.#statuses = new TestTaskStatuses({
      write: (...status) => options.cluster.writeStatus(...status),
      onNews: (task, event) => options.events.note(task, event),
      clock: options.clock,
      logger: options.logger,
    });
  }

  /** Call it once the cache of TestTasks is filled: until then nothing is registered. */
  async start(): Promise<void> {
    this.#readTasks();
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  /** A TestTask, a link, a build of a task or the role of this replica has changed. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** One more namespace is known: its builds may be taken. */
  noteNamespace(): void {
    if (!this.#loop) return;
    this.#readTasks();
    this.wake();
  }

  /** The TestTask that serves a function now. */
  find(functionName: string): TestTask | undefined {
    const served = this.#served.byFunction.get(functionName);
    return served ? this.#tasks.get(served.task) : undefined;
  }

  /** Counts a build of this TestTask (`namespace/name`) that runs already. Call it after `start`. */
  occupy(taskKey: string): Slot {
    return this.#poolOf(taskKey).occupy();
  }

  /** Whether one more build of this TestTask (`namespace/name`) could be taken. */
  hasRoom(taskKey: string): boolean {
    return (this.#degraded.of(taskKey) ? this.#ownPool(taskKey, 1) : this.#poolOf(taskKey)).hasRoom;
  }

  /** Tells whoever keeps the task that builds of it end as CONFIG_ERROR. The holder does, which sees the end of others' builds, too. */
  noteRefusal(taskKey: string, message: string): void {
    if (!this.#options.isHolder()) return;
    const metadata = this.#tasks.get(taskKey)?.metadata;
    if (!metadata?.uid) return;
    const { namespace, name, uid } = metadata;
    this.#options.events.note({ namespace, name, uid }, { type: "Warning", reason: "BuildRefused", message });
  }

  /** What a build of this task came to: several in a row that could not be carried out, and the task is taken slowly. */
  noteVerdict(taskKey: string, verdict: Verdict): void {
    const wasDegraded = this.#degraded.of(taskKey) !== undefined;
    this.#degraded.note(taskKey, verdict);
    const degraded = this.#degraded.of(taskKey);
    if (!wasDegraded && !degraded) return;
    // At once, as the build's own place is about to be free; the task's lane follows.
    this.#pools.get(taskKey)?.setPaused(degraded !== undefined && degraded.holdMs > 0);
    this.#wakeup.wake();
  }

  async #run(): Promise<void> {
    await this.#names.load(this.#stopping.signal);
    await Promise.all([this.#keepRegistering(), this.#keepWriting()]);
  }

  /** Waits for nobody: an API server that is slow to take statuses keeps no function from being registered. */
  async #keepRegistering(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let waitMs: number | undefined;
      try {
        this.#refresh();
        waitMs = this.#options.isHolder() ? this.#degradedMs() : undefined;
      } catch (error) {
        this.#options.logger.error({ err: coerceError(error) }, "retries after an unexpected error with the TestTasks");
        waitMs = STATUS_INTERVAL_MS;
      }
      this.#news.wake();
      await this.#wakeup.wait(waitMs, signal);
    }
  }

  /** What the holder writes down: the names of functions, and statuses. */
  async #keepWriting(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let waitMs: number | undefined;
      try {
        if (this.#options.isHolder()) {
          const namesMs = await this.#names.save(signal);
          // Names that were read come to be registered.
          if (namesMs === 0) this.#wakeup.wake();
          waitMs = earliest(namesMs, await this.#writeStatuses(signal));
        }
      } catch (error) {
        this.#options.logger.error({ err: coerceError(error) }, "retries after an unexpected error with the TestTasks");
        waitMs = STATUS_INTERVAL_MS;
      }
      await this.#news.wait(waitMs, signal);
    }
  }

  #readTasks(): void {
    const tasks = new Map<string, TestTask>();
    this.#objects = [...this.#options.cluster.cachedTestTasks()];
    for (const object of this.#objects) {
      const parsed = this.#parse(object);
      if (parsed.ok && !object.metadata.deletionTimestamp) tasks.set(testTaskKey(parsed.task), parsed.task);
    }
    this.#tasks = tasks;
    this.#served = decideServedFunctions([...tasks.values()]);
    this.#options.reviews.setTasks(this.#options.isHolder() ? tasks : new Map());
  }

  /** Reads all TestTasks and tells Gearman what they serve. */
  #refresh(): void {
    this.#readTasks();
    this.#names.renew(this.#served.byFunction.keys());
    // Those that are served now come from the tasks: there may be more than names that are kept.
    const functions = new Set([...this.#served.byFunction.keys(), ...this.#names.keys()]);
    this.#options.onRegistrations({ functions: [...functions], lanes: this.#options.isHolder() ? this.#lanes() : [] });
  }

  /**
   * Tasks without a limit share a lane; each of the others has its own, and so has one that is taken slowly. A suspended task has none: its functions stay registered and
   * nobody takes their builds. Functions that lost their TestTask are answered with a sentence, once all namespaces are known to have none for
   * them.
   */
  #lanes(): TaskLane<P>[] {
    const { pool, namespaces } = this.#options;
    const shared: string[] = [];
    const lanes: TaskLane<P>[] = [];
    for (const [key, task] of this.#tasks) {
      const functions = this.#served.byTask.get(key)?.functions ?? [];
      const { maxConcurrent, suspend } = task.spec;
      if (suspend || functions.length === 0 || !namespaces.isKnown(task.metadata.namespace)) continue;
      const degraded = this.#degraded.of(key);
      if (maxConcurrent === undefined && !degraded) {
        shared.push(...functions);
        continue;
      }
      const slots = this.#ownPool(key, degraded ? 1 : (maxConcurrent ?? 1));
      slots.setPaused(degraded !== undefined && degraded.holdMs > 0);
      lanes.push({ name: key, functions, slots });
    }
    const retired = [...this.#names.keys()].filter((name) => !this.#served.byFunction.has(name));
    if (shared.length > 0) lanes.unshift({ name: "shared", functions: shared, slots: pool });
    if (retired.length > 0 && namespaces.areAllKnown) lanes.push({ name: "retired", functions: retired, slots: this.#retiredPool });
    return lanes;
  }

  /** When the next task that is taken slowly may be taken again, or as always. */
  #degradedMs(): number | undefined {
    return earliest(...[...this.#tasks.keys()].map((key) => this.#degraded.of(key)?.changesInMs));
  }

  #poolOf(taskKey: string): P {
    const maxConcurrent = this.#tasks.get(taskKey)?.spec.maxConcurrent;
    return maxConcurrent === undefined ? this.#options.pool : this.#ownPool(taskKey, maxConcurrent);
  }

  #ownPool(taskKey: string, maxConcurrent: number): P {
    const { pool, makePool } = this.#options;
    const own = this.#pools.get(taskKey) ?? makePool(maxConcurrent, pool);
    own.setCapacity(maxConcurrent);
    this.#pools.set(taskKey, own);
    return own;
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
    for (const key of this.#pools.keys()) if (!present.has(key)) this.#pools.delete(key);
    this.#degraded.keep(present);
    return this.#statuses.write(objects, (object, previous) => this.#status(object, previous), signal);
  }

  /** A status, or in how many milliseconds to ask again. */
  #status(object: KubeObject, previous: TestTaskStatus | undefined): TestTaskStatus | number {
    const { servers, builds, reviews, clock } = this.#options;
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
        servers: servers(),
        active: builds.activeOf(key),
        lastBuild: builds.lastOf(key),
        degraded: this.#degraded.of(key),
        previous,
      },
      clock.now(),
    );
  }
}
