import { INSTALLATION_LABEL, MANAGED_BY, MANAGED_BY_LABEL } from "../kubernetes/labels.ts";
import type { KubeObject } from "../kubernetes/objects.ts";

/**
 * Who holds an installation, and which replicas live, told from Leases as in client-go's leader election: only changes that were seen and
 * the local clock count, never the time that another machine has written. A Lease that has not changed for `LEASE_MS` is over; its holder
 * has stopped to rely on it `LEASE_MS - HOLD_MS` earlier. All times are in milliseconds of a clock that never jumps.
 */
export const LEASE_MS = 15_000;
/** So long after a renewal was sent its sender relies on it. */
export const HOLD_MS = 10_000;
const HOLDER_RENEWAL_MS = 2_000;
export const OWN_RENEWAL_MS = 5_000;

/** Standbys that see the same end do not all ask in the same moment. */
export const MAX_JITTER_MS = 300;
/** Without a watch the Leases are asked for. */
const BLIND_MS = 2_000;
/** After an API server was away its other clients get so long to say that they live: one renewal's pause, and a try or two. */
const HOLDER_RETURN_MS = 3_000;
const REPLICA_RETURN_MS = 8_000;
/** A replica whose own Lease someone has deleted makes it again within this time; */
const DELETED_GRACE_MS = 2_000;
/** and a holder the installation's. */
const DELETED_HOLDER_GRACE_MS = 5_000;
/** What is left of a replica that has crashed is deleted so long after it counted as dead. */
const ABANDONED_MS = 600_000;

/** client-go's way to release a Lease: no holder, and this duration. A Lease that merely names no holder was edited. */
const RELEASED_SECONDS = 1;
const MAX_TRANSITIONS = 2 ** 31 - 1;

/** `coordination.k8s.io/v1`; anyone may have edited it. https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/ */
export interface Lease extends KubeObject {
  spec?: LeaseSpec | null;
}

export interface LeaseSpec {
  holderIdentity?: string | null;
  leaseDurationSeconds?: number | null;
  acquireTime?: string | null;
  renewTime?: string | null;
  leaseTransitions?: number | null;
}

/** The labels of an installation's Leases. */
export function leaseLabels(installation: string): Record<string, string> {
  return { [MANAGED_BY_LABEL]: MANAGED_BY, [INSTALLATION_LABEL]: installation };
}

/** Name of the holder's Lease. */
export function holderLeaseName(installation: string): string {
  return installation;
}

/** Name of a replica's own Lease; any text makes a name that the API takes. */
export function replicaLeaseName(installation: string, replica: string): string {
  const name = replica.toLowerCase().replaceAll(/[^a-z0-9-]+/g, "-");
  return `${installation}-${name.slice(-190)}`.replace(/-+$/, "");
}

/** A state of a Lease: two are equal only if nothing was written between them. */
export function versionOf(lease: Lease): string {
  return `${lease.metadata.uid ?? ""}/${lease.metadata.resourceVersion ?? ""}`;
}

export function isReleased(lease: Lease): boolean {
  return !lease.spec?.holderIdentity && lease.spec?.leaseDurationSeconds === RELEASED_SECONDS;
}

/**
 * Whether a replica has written a Lease as its holder. The name alone is not enough: someone may have written it there while another
 * holds. `tenures` are the times that this replica has given as the beginning of its holding.
 */
export function isOurs(lease: Lease, replica: string, tenures: readonly Date[]): boolean {
  const acquiredMs = readTimeMs(lease.spec?.acquireTime);
  return lease.spec?.holderIdentity === replica && tenures.some((tenure) => tenure.getTime() === acquiredMs);
}

/** The spec of a Lease that `replica` holds since `acquired` and renews now; `before` is what it replaces. */
export function renderLeaseSpec(replica: string, acquired: Date, now: Date, before: Lease | undefined): LeaseSpec {
  const transitions = readTransitions(before?.spec?.leaseTransitions);
  const isNew = before?.spec?.holderIdentity !== replica;
  return {
    holderIdentity: replica,
    leaseDurationSeconds: LEASE_MS / 1000,
    acquireTime: renderMicroTime(acquired),
    renewTime: renderNextTime(now, before),
    leaseTransitions: isNew && before ? Math.min(transitions + 1, MAX_TRANSITIONS) : transitions,
  };
}

/** What a holder leaves that goes. */
export function renderReleasedSpec(now: Date, before: Lease): LeaseSpec {
  return { holderIdentity: "", leaseDurationSeconds: RELEASED_SECONDS, renewTime: renderNextTime(now, before) };
}

/** What a replica sees of the holder's Lease. */
export interface HolderView {
  nowMs: number;
  replica: string;
  /** undefined: nothing is known of it yet; null: there is none. */
  lease: Lease | null | undefined;
  /** Since when it is as it is, as seen from here. */
  seenAtMs: number;
  /** When the API server itself was last asked and said the same; undefined: not since `seenAtMs`. */
  confirmedAtMs: number | undefined;
  tenures: readonly Date[];
  /** When the last renewal that succeeded was sent; -Infinity without one. */
  renewedAtMs: number;
  /** When the last write that succeeded was sent, whether it made this replica the holder or not; -Infinity without one. */
  writtenAtMs: number;
  /** Where there is none: whether somebody may hold one that was deleted. */
  mayBeHeld: boolean;
  /** Since when the API server has answered every call; Infinity: it has not answered the last one. */
  reachableSinceMs: number;
  /** In [0, MAX_JITTER_MS). */
  jitterMs: number;
}

export type HolderAction =
  /** Write the Lease as its holder: on this state only. */
  | { kind: "renew" | "take" }
  | { kind: "create" }
  /** Ask the API server: what is seen may be old. */
  | { kind: "confirm" }
  /** It is somebody else's, or was edited: rely on it no more. */
  | { kind: "yield" }
  | { kind: "wait"; waitMs: number };

export function isHeld({ nowMs, renewedAtMs }: Pick<HolderView, "nowMs" | "renewedAtMs">): boolean {
  return nowMs - renewedAtMs < HOLD_MS;
}

/** What a replica that wants to hold the installation does now. */
export function decideHolder(view: HolderView): HolderAction {
  const { lease, nowMs, seenAtMs, jitterMs, confirmedAtMs } = view;
  if (lease === undefined) return dueAt(nowMs, seenAtMs + BLIND_MS, { kind: "confirm" });
  if (isHeld(view)) return decideAsHolder(view);
  if (lease === null) return dueAt(nowMs, view.mayBeHeld ? seenAtMs + DELETED_HOLDER_GRACE_MS + jitterMs : seenAtMs, { kind: "create" });
  if (isOurs(lease, view.replica, view.tenures)) return dueAt(nowMs, view.writtenAtMs + HOLDER_RENEWAL_MS, { kind: "renew" });
  if (isReleased(lease)) return dueAt(nowMs, seenAtMs + jitterMs, { kind: "take" });
  const overAtMs = seenAtMs + LEASE_MS + jitterMs;
  const isConfirmed = confirmedAtMs !== undefined && confirmedAtMs >= overAtMs;
  if (!isConfirmed) return dueAt(nowMs, overAtMs, { kind: "confirm" });
  return dueAt(nowMs, view.reachableSinceMs + HOLDER_RETURN_MS, { kind: "take" });
}

function decideAsHolder({ lease, replica, tenures, nowMs, renewedAtMs }: HolderView): HolderAction {
  if (!lease) return { kind: "create" };
  if (!isOurs(lease, replica, tenures)) return { kind: "yield" };
  return dueAt(nowMs, renewedAtMs + HOLDER_RENEWAL_MS, { kind: "renew" });
}

/**
 * Whether somebody may hold a Lease that is not there. Who makes it then holds the installation only with a renewal that is sent `HOLD_MS`
 * later: whoever held what was deleted relies on it no more by then, or has made it again and lets no other write succeed. Somebody may: it was deleted before our eyes, or another replica is old enough to have held it. A
 * replica's age is told by its own clock alone. Where all have just started, none has: their first one need not wait.
 */
export function mayHaveHolder(wasSeen: boolean, ownLeasesOfOthers: Iterable<Lease>): boolean {
  if (wasSeen) return true;
  for (const { spec } of ownLeasesOfOthers) {
    const ageMs = readTimeMs(spec?.renewTime) - readTimeMs(spec?.acquireTime);
    if (!(ageMs >= 0 && ageMs < OWN_RENEWAL_MS / 2)) return true;
  }
  return false;
}

/** What is seen of another replica's own Lease. */
export interface ReplicaView {
  nowMs: number;
  isThere: boolean;
  seenAtMs: number;
  /** The API server has confirmed that it has been over. */
  isDead: boolean;
  reachableSinceMs: number;
  /** Whether who looks is the holder. */
  isHolder: boolean;
}

export type ReplicaAction =
  /** Ask the API server: if it says the same, the replica is dead. */
  | { kind: "confirm" }
  | { kind: "delete" }
  /** undefined: until something changes. */
  | { kind: "wait"; waitMs: number | undefined };

export function decideReplica({ nowMs, isThere, seenAtMs, isDead, reachableSinceMs, isHolder }: ReplicaView): ReplicaAction {
  if (!isDead) {
    const overAtMs = isThere ? Math.max(seenAtMs + LEASE_MS, reachableSinceMs + REPLICA_RETURN_MS) : seenAtMs + DELETED_GRACE_MS;
    return dueAt(nowMs, overAtMs, { kind: "confirm" });
  }
  if (!isThere || !isHolder) return { kind: "wait", waitMs: undefined };
  return dueAt(nowMs, seenAtMs + LEASE_MS + ABANDONED_MS, { kind: "delete" });
}

/** Far enough for whatever can't be said: something will happen before. */
const LONG_MS = 60_000;

function dueAt<Action>(nowMs: number, dueMs: number, action: Action): Action | { kind: "wait"; waitMs: number } {
  return nowMs >= dueMs ? action : { kind: "wait", waitMs: Math.min(dueMs - nowMs, LONG_MS) };
}

function readTransitions(value: unknown): number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TRANSITIONS ? (value as number) : 0;
}

function readTimeMs(value: unknown): number {
  return typeof value === "string" ? Date.parse(value) : Number.NaN;
}

/** As the API wants it: six digits, always. */
function renderMicroTime(time: Date, micros = "000"): string {
  return time.toISOString().replace("Z", `${micros}Z`);
}

/** A write that changes nothing is none, to the API server: nobody would see it. */
function renderNextTime(now: Date, before: Lease | undefined): string {
  const text = renderMicroTime(now);
  return text === before?.spec?.renewTime ? renderMicroTime(now, "001") : text;
}
