import { type DecidedLane, decideLanes, type LaneFacts } from "../../core/test-task/lanes.ts";
import type { Slot, SlotPool } from "../../runtime/slot.ts";

/** Builds at once that are told that no TestTask serves their job any more. */
const RETIRED_SLOTS = 10;

export interface TaskPools {
  /** Slots of all tasks without a `maxConcurrent`; the others' pools are its children. */
  installation: SlotPool;
  make(capacity: number, parent?: SlotPool): SlotPool;
}

export interface TaskLane {
  name: string;
  functions: readonly string[];
  slots: SlotPool;
}

/** Of one build. */
interface Place {
  slot: Slot;
  /** In its task's pool, where `slot` is of another one. */
  own: Slot | undefined;
}

/** The lanes that builds are taken by, and the pools that they are counted in. A task keeps its pool for as long as it is there. */
export class TaskLanes {
  readonly #pools: TaskPools;
  readonly #degradedOf: LaneFacts["degradedOf"];
  readonly #heldBackOf: LaneFacts["heldBackOf"];
  readonly #retired: SlotPool;
  readonly #own = new Map<string, SlotPool>();
  /** The builds under way, by task, whatever pool has given their slots out: a limit that comes later counts them too. */
  readonly #places = new Map<string, Set<Place>>();
  #lanes: readonly TaskLane[] = [];

  constructor(pools: TaskPools, states: Pick<LaneFacts, "degradedOf" | "heldBackOf">) {
    this.#pools = pools;
    this.#degradedOf = states.degradedOf;
    this.#heldBackOf = states.heldBackOf;
    this.#retired = pools.make(RETIRED_SLOTS);
  }

  /** The installation's, and those of the lanes there are now. */
  get pools(): { name: string; used: number; capacity: number }[] {
    const { installation } = this.#pools;
    const own = this.#lanes.filter(({ slots }) => slots !== installation);
    return [{ name: "installation", slots: installation }, ...own].map(({ name, slots: { used, capacity } }) => ({ name, used, capacity }));
  }

  /** The lanes as they should be now; none without `facts`, for a replica that takes no builds. */
  decide(facts: Omit<LaneFacts, "degradedOf" | "heldBackOf"> | undefined): readonly TaskLane[] {
    const decided = facts ? decideLanes({ ...facts, degradedOf: this.#degradedOf, heldBackOf: this.#heldBackOf }) : [];
    if (facts) this.#unlimitOthers(facts, decided);
    this.#lanes = decided.map(({ name, functions, pool }) => ({ name, functions, slots: this.#slotsOf(name, pool) }));
    return this.#lanes;
  }

  /** Whether a build of this task that waits in a line may begin: the task may have got a limit since, or be taken slowly. */
  mayBegin(taskKey: string): boolean {
    return !this.#isOnHold(taskKey) && (this.#own.get(taskKey)?.hasRoom ?? true);
  }

  /** Counts a build that runs already, in the installation's pool and against its task's limit. */
  occupy(taskKey: string): Slot {
    return this.count(taskKey, this.#pools.installation.occupy());
  }

  /**
   * Counts a build with a slot of whatever pool against its task's limit, however that comes, changes and goes while it runs. What is returned
   * stands for that slot.
   */
  count(taskKey: string, slot: Slot): Slot {
    const place: Place = { slot, own: undefined };
    const places = this.#places.get(taskKey) ?? new Set();
    this.#places.set(taskKey, places.add(place));
    this.#countIn(this.#own.get(taskKey), place);
    return {
      release: () => {
        places.delete(place);
        if (places.size === 0 && this.#places.get(taskKey) === places) this.#places.delete(taskKey);
        // First: whoever the installation's place is offered to may be waiting for this one as well.
        place.own?.release();
        slot.release();
      },
    };
  }

  /** A task is taken slowly from now on, or no longer: stops its own pool at once, or lets it go on. Its lane follows with `decide`. */
  notePace(taskKey: string): void {
    this.#own.get(taskKey)?.setPaused(this.#isOnHold(taskKey));
  }

  #isOnHold(taskKey: string): boolean {
    return (this.#degradedOf(taskKey)?.holdMs ?? 0) > 0 || (this.#heldBackOf(taskKey)?.isPaused ?? false);
  }

  /** Forgets the pools of tasks that are not there any more. */
  keep(taskKeys: { has(taskKey: string): boolean }): void {
    for (const key of this.#own.keys()) if (!taskKeys.has(key)) this.#own.delete(key);
  }

  /** A task that shares a lane has no limit of its own any more; what waits in line since it had one is not to wait for that. */
  #unlimitOthers({ served }: Pick<LaneFacts, "served">, decided: readonly DecidedLane[]): void {
    const shared = new Set(decided.find(({ pool }) => pool === "installation")?.functions);
    for (const [taskKey, own] of this.#own) {
      if (!served.byTask.get(taskKey)?.functions.some((name) => shared.has(name))) continue;
      own.setCapacity(this.#pools.installation.capacity);
      own.setPaused(false);
    }
  }

  #slotsOf(taskKey: string, pool: DecidedLane["pool"]): SlotPool {
    if (pool === "installation") return this.#pools.installation;
    if (pool === "retired") return this.#retired;
    const capacity = Number.isFinite(pool.capacity) ? pool.capacity : this.#pools.installation.capacity;
    const own = this.#ownPool(taskKey, capacity);
    own.setPaused(pool.isPaused);
    return own;
  }

  #ownPool(taskKey: string, capacity: number): SlotPool {
    const { installation, make } = this.#pools;
    const known = this.#own.get(taskKey);
    const own = known ?? make(capacity, installation);
    if (known) known.setCapacity(capacity);
    else {
      this.#own.set(taskKey, own);
      for (const place of this.#places.get(taskKey) ?? []) this.#countIn(own, place);
    }
    return own;
  }

  /** Those that it has given the slot of are counted in it already. */
  #countIn(own: SlotPool | undefined, place: Place): void {
    if (!own || own.holds(place.slot)) return;
    place.own?.release();
    place.own = own.occupyHere();
  }
}
