import { INDEX_FOLDER } from "./build-directory.ts";

/**
 * What a store knows of a build without opening a file: the path of its entry says when the build ended, which it was, and how large it is. So
 * a listing of entries, oldest first, is enough to decide what is kept.
 */
export interface IndexEntry {
  endedAt: Date;
  namespace: string;
  jobName: string;
  /** undefined while its files are being stored. */
  bytes: number | undefined;
}

/** The path of a build's entry; in the order of time. */
export function renderIndexPath({ endedAt, namespace, jobName, bytes }: IndexEntry): string {
  const [day, time = ""] = endedAt.toISOString().split("T");
  return `${INDEX_FOLDER}/${day}/${time.replaceAll(":", "")},${namespace},${jobName},${bytes ?? "storing"}.json`;
}

const INDEX_PATH = /^_index\/(\d{4}-\d\d-\d\d)\/(\d\d)(\d\d)(\d\d\.\d{3}Z),([a-z0-9-]{1,63}),([a-z0-9.-]{1,253}),(\d{1,15}|storing)\.json$/;

/** undefined for what is no entry. */
export function parseIndexPath(path: string): IndexEntry | undefined {
  const [, day, hours, minutes, seconds, namespace = "", jobName = "", bytes] = INDEX_PATH.exec(path) ?? [];
  const endedAt = new Date(`${day}T${hours}:${minutes}:${seconds}`);
  if (day === undefined || Number.isNaN(endedAt.getTime())) return undefined;
  return { endedAt, namespace, jobName, bytes: bytes === "storing" ? undefined : Number(bytes) };
}

/** Nobody has read it yet, and who has pushed the change may be about to. */
const YOUNG_MS = 3_600_000;
/** What has been stored for so long is being stored no more. */
const ABANDONED_MS = 24 * 3_600_000;

export interface RetentionLimits {
  ageMs: number;
  /** Of all builds together. */
  bytes: number | undefined;
}

/**
 * Whether a build is to be removed: it is too old, or all builds together, `totalBytes`, are too large; what is being stored is neither, and
 * for its size no build goes within an hour of its end. To be asked oldest first, with what is left.
 */
export function isRemovable(entry: IndexEntry, totalBytes: number, limits: RetentionLimits, now: Date): boolean {
  const ageMs = now.getTime() - entry.endedAt.getTime();
  if (entry.bytes === undefined && ageMs < ABANDONED_MS) return false;
  if (ageMs > limits.ageMs) return true;
  return limits.bytes !== undefined && entry.bytes !== undefined && totalBytes > limits.bytes && ageMs > YOUNG_MS;
}
