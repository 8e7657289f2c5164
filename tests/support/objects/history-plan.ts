import fc from "fast-check";

/** One container, and what it will do. */
export interface PlannedContainer {
  name: string;
  image: "there" | "missing";
  pullMs: number;
  /** Until it ends by itself; undefined: it does not. */
  runMs: number | undefined;
  /** Of its runs, one after another. */
  exitCodes: readonly number[];
  /** A restartPolicy of its own, which starts it again when it fails. */
  again?: boolean;
  /** It ends for want of memory. */
  isOom?: boolean;
  memory?: string | undefined;
  /** Of a sidecar: its probe passes. */
  isReady?: boolean;
  /** Of a sidecar: it ends this long after it began, and is started again. */
  crashMs?: number | undefined;
}

type Plain =
  | "stop"
  | "evicted"
  | "out-of-disk"
  | "drained"
  | "preempted"
  | "announced"
  | "pod-deleted"
  | "job-deleted"
  | "job-orphaned"
  | "node-reset"
  | "node-shutdown"
  | "node-shutdown-told"
  | "node-gone"
  | "container-lost"
  | "shim-killed";

/** What somebody else does, so long after the Job was made. */
export type Disturbance = { kind: Plain; atMs: number } | { kind: "absence" | "kubelet-away"; atMs: number; forMs: number };

export interface HistoryPlan {
  /** Its runner says what it ended with; an image's own command has none. */
  isScript: boolean;
  test: PlannedContainer;
  others: readonly PlannedContainer[];
  services: readonly PlannedContainer[];
  inits: readonly PlannedContainer[];
  hasCheckout: boolean;
  checkout: PlannedContainer;
  /** What the cluster adds: before the template's containers and behind them. */
  injected: {
    first: readonly PlannedContainer[];
    last: readonly PlannedContainer[];
    inits: readonly PlannedContainer[];
    sidecars: readonly PlannedContainer[];
  };
  podMs: number;
  scheduleMs: number;
  /** What containers do when they get TERM. */
  onTerm: 0 | 1 | 143 | "ignores";
  /** The kubelet's word that it ends containers reaches the operator. */
  isKillHeard: boolean;
  /** A container that is waited for has been made by the runtime, and not begun. */
  isMade: boolean;
  disturbances: readonly Disturbance[];
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;

const mostly = <T>(usual: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.integer({ min: 0, max: others.length + 5 }).map((pick) => others[pick] ?? usual);

function container(
  name: string,
  changes: Partial<{ [Key in keyof PlannedContainer]: fc.Arbitrary<PlannedContainer[Key]> }> = {},
): fc.Arbitrary<PlannedContainer> {
  return fc.record({
    name: fc.constant(name),
    image: fc.constant("there" as const),
    pullMs: fc.constantFrom(0, 500, 20 * SECOND),
    runMs: fc.constantFrom(SECOND, 10 * SECOND, 5 * MINUTE),
    exitCodes: fc.constant([0]),
    memory: fc.constantFrom(undefined, "2Gi"),
    ...changes,
  } as { [Key in keyof PlannedContainer]: fc.Arbitrary<PlannedContainer[Key]> }) as fc.Arbitrary<PlannedContainer>;
}

/** Beside the test: they end before it, with it, or never, well or badly, or do not even begin. */
const beside = (name: string) =>
  container(name, {
    image: mostly<PlannedContainer["image"]>("there", "missing"),
    pullMs: fc.constantFrom(0, 20 * SECOND, 30 * MINUTE),
    runMs: fc.constantFrom(undefined, SECOND, 5 * SECOND, 10 * MINUTE),
    exitCodes: fc.constantFrom([0], [0], [1], [137]),
  });
const init = (name: string) =>
  container(name, {
    image: mostly<PlannedContainer["image"]>("there", "missing"),
    exitCodes: mostly<readonly number[]>([0], [1], [126]),
    isOom: mostly(false, true),
  });
const sidecar = (name: string) =>
  container(name, {
    isReady: mostly(true, false),
    crashMs: mostly<number | undefined>(undefined, SECOND, 30 * SECOND),
  });

/** None, or one. */
const perhaps = (one: fc.Arbitrary<PlannedContainer>): fc.Arbitrary<readonly PlannedContainer[]> =>
  fc.oneof({ arbitrary: fc.constant([]), weight: 3 }, { arbitrary: one.map((each) => [each]), weight: 2 });

const test = fc.oneof(
  ...["test", "unit"].map((name) =>
    container(name, {
      image: mostly<PlannedContainer["image"]>("there", "missing"),
      runMs: fc.constantFrom(SECOND, 8 * SECOND, 5 * MINUTE, 50 * MINUTE, 2 * 60 * MINUTE),
      exitCodes: fc.constantFrom([0], [1], [3], [137], [143], [255], [1, 0], [1, 1, 0]),
      again: mostly(false, true),
      isOom: mostly(false, true),
    }).map((plan) => ({ ...plan, ...(plan.isOom ? { exitCodes: [137], again: false } : {}) })),
  ),
);

const KINDS = [
  ...["stop", "evicted", "out-of-disk", "drained", "preempted", "announced", "pod-deleted"],
  ...["job-deleted", "job-orphaned", "node-reset", "node-shutdown", "node-shutdown-told", "node-gone", "container-lost", "shim-killed"],
] as Plain[];
const atMs = fc.constantFrom(0, 500, 3 * SECOND, 15 * SECOND, 40 * SECOND, 3 * MINUTE, 20 * MINUTE, 70 * MINUTE);

const disturbance: fc.Arbitrary<Disturbance> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constantFrom(...KINDS), atMs }), weight: 3 },
  {
    arbitrary: fc.record({
      kind: fc.constantFrom("absence" as const, "kubelet-away" as const),
      atMs,
      forMs: fc.constantFrom(5 * SECOND, MINUTE, 30 * MINUTE, 3 * 60 * MINUTE),
    }),
    weight: 1,
  },
);

const plans: fc.Arbitrary<HistoryPlan> = fc.record({
  isScript: fc.boolean(),
  test,
  others: perhaps(beside("web")),
  services: perhaps(sidecar("db")),
  inits: perhaps(init("setup")),
  hasCheckout: fc.boolean(),
  checkout: container("checkout", { exitCodes: mostly<readonly number[]>([0], [65], [69], [78], [1]), isOom: mostly(false, true) }),
  injected: fc.record({
    first: perhaps(beside("proxy")),
    last: perhaps(beside("agent")),
    inits: perhaps(init("mesh-init")),
    sidecars: perhaps(sidecar("mesh")),
  }),
  podMs: fc.constantFrom(10, 2 * SECOND),
  scheduleMs: fc.constantFrom(10, 30 * SECOND),
  onTerm: fc.constantFrom(0 as const, 1 as const, 143 as const, "ignores" as const),
  isKillHeard: fc.boolean(),
  isMade: fc.boolean(),
  disturbances: fc.oneof(fc.constant([]), fc.array(disturbance, { minLength: 1, maxLength: 2 })),
});

/** The same, whose test fails and runs again more than once while nobody looks: that hardly ever comes by chance. */
const unseenPlans = plans.map(
  (plan): HistoryPlan => ({
    ...plan,
    test: { ...plan.test, image: "there", runMs: SECOND, exitCodes: [1, 1, 0], again: true, isOom: false },
    disturbances: [{ kind: "absence", atMs: 0, forMs: 30 * MINUTE }],
  }),
);

/** What becomes of one build: its containers, the cluster's, and up to two disturbances. */
export const historyPlans = fc.oneof({ arbitrary: plans, weight: 49 }, { arbitrary: unseenPlans, weight: 1 });
