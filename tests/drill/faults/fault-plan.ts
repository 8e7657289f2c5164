import { GEARMAN_SERVER_KINDS, type GearmanServerKind } from "../../support/gearman/gearman-server.ts";
import { between, makeRandom } from "../../support/random.ts";

/** One thing that goes wrong. All times are milliseconds; `pick` in [0, 1) chooses among what is there at that moment. */
type FaultAction =
  /** SIGKILL; started again after `downMs`. */
  | { readonly kind: "replica-killed"; readonly replica: number; readonly downMs: number }
  /** SIGTERM; another process takes its place after `downMs`, as in a Deployment whether or not this one has ended. */
  | { readonly kind: "replica-terminated"; readonly replica: number; readonly downMs: number }
  /** SIGSTOP, then SIGCONT. */
  | { readonly kind: "replica-suspended"; readonly replica: number; readonly forMs: number }
  /** One connection between a replica and a Gearman server, or all of them. */
  | {
      readonly kind: "link-cut";
      readonly replica: number;
      readonly server: GearmanServerKind;
      readonly how: "rst" | "fin";
      readonly pick: number | null;
    }
  /** SIGKILL; back, empty, after `downMs`. */
  | { readonly kind: "server-killed"; readonly server: GearmanServerKind; readonly downMs: number }
  /** Killed and started again, or SIGSTOP and SIGCONT. */
  | { readonly kind: "api-server-down"; readonly how: "killed" | "suspended"; readonly forMs: number }
  /** A replica's watches, those that come meanwhile too, stay open and say nothing; then they break. */
  | { readonly kind: "watch-black-holed"; readonly replica: number; readonly forMs: number }
  | { readonly kind: "kubelet-down"; readonly how: "killed" | "suspended"; readonly forMs: number }
  /** Kubelet, containerd and every pod's processes end at once, as by a power loss; booted after `downMs`. */
  | { readonly kind: "node-reset"; readonly downMs: number }
  /** A replica's wall clock goes by so much, at once, and comes back after `forMs`. */
  | { readonly kind: "clock-jumped"; readonly replica: number; readonly byMs: number; readonly forMs: number }
  | { readonly kind: "pod-deleted"; readonly pick: number }
  /** So large a `share` of a replica's requests is answered like that; only 429 has a Retry-After. */
  | {
      readonly kind: "storm-429" | "storm-500";
      readonly replica: number;
      readonly share: number;
      readonly retryAfterSeconds: number;
      readonly forMs: number;
    };

export type FaultKind = FaultAction["kind"];

/** `atMs` since the first fault's clock began; faults come in that order. */
export type Fault = FaultAction & { readonly index: number; readonly atMs: number };

/** How often each kind comes, relative to the others. What takes everything away for long is rarer, so that there are builds to harm. */
const WEIGHTS: Record<FaultKind, number> = {
  "replica-killed": 1,
  "replica-terminated": 1,
  "replica-suspended": 1,
  "link-cut": 1.5,
  "server-killed": 0.8,
  "api-server-down": 0.5,
  "watch-black-holed": 1,
  "kubelet-down": 0.6,
  "node-reset": 0.4,
  "clock-jumped": 0.8,
  "pod-deleted": 1,
  "storm-429": 0.8,
  "storm-500": 0.8,
};
export const FAULT_KINDS = Object.keys(WEIGHTS) as FaultKind[];

const API_SERVER_DOWN_MS = 20_000;
/** For what was down to come up again before the same comes once more. */
const RECOVERY_MS = 6000;
const LONGEST_JUMP_MS = 2 * 3_600_000;
const LONGEST_PAUSE_MS = 25_000;
const MAX_TRIES = 100;

export interface FaultPlanOptions {
  readonly seed: number;
  readonly faults: number;
  readonly replicas: number;
  /** Mean time between two faults. */
  readonly everyMs: number;
}

/** The faults of a drill: a pure function of its arguments, and with more `faults` only longer. None meets what is still down itself. */
export function planFaults({ seed, faults, replicas, everyMs }: FaultPlanOptions): Fault[] {
  const random = makeRandom(seed);
  const plan: Fault[] = [];
  const busyUntilMs = new Map<string, number>();
  let atMs = 0;
  for (let index = 0; index < faults; index += 1) {
    atMs += Math.min(-Math.log(1 - random()) * everyMs, LONGEST_PAUSE_MS);
    const action = pickAction(random, replicas, (target) => (busyUntilMs.get(target) ?? 0) > atMs);
    const { target, lastsMs } = extentOf(action);
    if (target !== undefined) busyUntilMs.set(target, atMs + lastsMs + RECOVERY_MS);
    plan.push({ ...action, index, atMs: Math.round(atMs) });
  }
  return plan;
}

function pickAction(random: () => number, replicas: number, isBusy: (target: string) => boolean): FaultAction {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const action = makeAction(pickKind(random), random, replicas);
    const { target } = extentOf(action);
    if (target === undefined || !isBusy(target)) return action;
  }
  return makeAction("link-cut", random, replicas);
}

function pickKind(random: () => number): FaultKind {
  let left = random() * Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0);
  for (const kind of FAULT_KINDS) {
    left -= WEIGHTS[kind];
    if (left < 0) return kind;
  }
  return "link-cut";
}

function makeAction(kind: FaultKind, random: () => number, replicas: number): FaultAction {
  const replica = Math.floor(random() * replicas);
  const server = GEARMAN_SERVER_KINDS[Math.floor(random() * GEARMAN_SERVER_KINDS.length)] as GearmanServerKind;
  const ms = (least: number, most: number) => Math.round(between(random, least, most));
  switch (kind) {
    case "replica-killed":
    case "replica-terminated":
      return { kind, replica, downMs: ms(200, 6000) };
    case "replica-suspended":
      return { kind, replica, forMs: ms(5000, 40_000) };
    case "link-cut":
      return { kind, replica, server, how: random() < 0.5 ? "rst" : "fin", pick: random() < 0.6 ? random() : null };
    case "server-killed":
      return { kind, server, downMs: ms(0, 5000) };
    case "api-server-down":
      return { kind, how: random() < 0.5 ? "killed" : "suspended", forMs: API_SERVER_DOWN_MS };
    case "watch-black-holed":
      // Some last longer than any silence that a watch may have.
      return { kind, replica, forMs: random() < 0.7 ? ms(10_000, 40_000) : ms(160_000, 200_000) };
    case "kubelet-down":
      return { kind, how: random() < 0.5 ? "killed" : "suspended", forMs: ms(5000, 35_000) };
    case "node-reset":
      return { kind, downMs: ms(1000, 15_000) };
    case "clock-jumped": {
      // As many jumps of seconds as of hours, back as forth.
      const byMs = Math.round(Math.exp(between(random, Math.log(1000), Math.log(LONGEST_JUMP_MS))));
      return { kind, replica, byMs: random() < 0.5 ? byMs : -byMs, forMs: ms(5000, 60_000) };
    }
    case "pod-deleted":
      return { kind, pick: random() };
    case "storm-429":
    case "storm-500":
      return { kind, replica, share: between(random, 0.3, 1), retryAfterSeconds: ms(1, 3), forMs: ms(5000, 20_000) };
  }
}

/** What a fault keeps down, and for how long. */
function extentOf(action: FaultAction): { target?: string; lastsMs: number } {
  switch (action.kind) {
    case "replica-killed":
    case "replica-terminated":
      return { target: `replica-${action.replica}`, lastsMs: action.downMs };
    case "replica-suspended":
      return { target: `replica-${action.replica}`, lastsMs: action.forMs };
    case "server-killed":
      return { target: action.server, lastsMs: action.downMs };
    case "api-server-down":
      return { target: "api-server", lastsMs: action.forMs };
    case "kubelet-down":
      return { target: "kubelet", lastsMs: action.forMs };
    case "node-reset":
      return { target: "kubelet", lastsMs: action.downMs };
    case "clock-jumped":
      return { target: `clock-${action.replica}`, lastsMs: action.forMs };
    case "watch-black-holed":
      return { target: `watches-${action.replica}`, lastsMs: action.forMs };
    case "storm-429":
    case "storm-500":
      return { target: `requests-${action.replica}`, lastsMs: action.forMs };
    case "link-cut":
    case "pod-deleted":
      return { lastsMs: 0 };
  }
}
