/** How a build gets its number, and its Job a name. */

/** What makes a Gearman request the one it is. A server that loses its worker hands the same four out again. */
export interface RequestIdentity {
  server: string;
  functionName: string;
  unique: string;
  /** 64 bits of hash, hexadecimal, over the payload as it came: clients that use a unique again ask for something else under it. */
  payloadHash: string;
}

/** The identity's `payloadHash`. */
export function payloadHash(payload: Uint8Array, sha256Hex: (bytes: Uint8Array) => string): string {
  return sha256Hex(payload).slice(0, 16);
}

/** Of the number's 16 digits the last ones tell its namespace. */
const CHECK_DIGITS = 4;

/**
 * A build's number, which is its Job's name too (see `jobName`): the TestTask's name, 48 bits of hash over the request's identity, and 16 bits
 * of hash over all before them with the task's namespace, see `isNumberIn`. Equal requests get equal numbers, so that the API server refuses
 * to run one twice.
 */
export function buildNumber(
  task: { namespace: string; name: string },
  request: RequestIdentity,
  sha256Hex: (text: string) => string,
): string {
  const stem = `${task.name}-${identityDigits(request, sha256Hex).slice(0, -CHECK_DIGITS)}`;
  return stem + checkDigits(task.namespace, stem, sha256Hex);
}

/**
 * Whether a Job of this namespace may have the number that it says it has: a build of another namespace has a number that nobody can give a Job
 * of theirs here, whatever they write on it. Numbers of before there were check digits are told by all that they were made of; where a Job
 * does not tell the payload's hash, there was none among it.
 */
export function isNumberIn(
  namespace: string,
  { number, identity }: { number: string; identity: Omit<RequestIdentity, "payloadHash"> & { payloadHash: string | null } },
  sha256Hex: (text: string) => string,
): boolean {
  if (!isBuildNumber(number)) return false;
  const stem = number.slice(0, -CHECK_DIGITS);
  return number === stem + checkDigits(namespace, stem, sha256Hex) || number.endsWith(`-${identityDigits(identity, sha256Hex)}`);
}

function identityDigits(
  { server, functionName, unique, payloadHash }: { [K in keyof RequestIdentity]: string | null },
  sha256Hex: (text: string) => string,
): string {
  const parts = [server, functionName, unique, ...(payloadHash === null ? [] : [payloadHash])];
  return sha256Hex(JSON.stringify(parts)).slice(0, 16);
}

function checkDigits(namespace: string, stem: string, sha256Hex: (text: string) => string): string {
  return sha256Hex(`${namespace}/${stem}`).slice(0, CHECK_DIGITS);
}

/** Whether it may be one of `buildNumber`, of a task of any name. */
export function isBuildNumber(number: string): boolean {
  return /^[a-z0-9]([-a-z0-9.]{0,252})-[0-9a-f]{16}$/.test(number);
}

/** gearmand cuts a unique at 64 bytes; longer ones, and those that servers treat as "none", do not tell requests apart. */
const MAX_UNIQUE_LENGTH = 64;

/** True when `unique` names one request; else the build gets an id of ours (gearmand coalesces `-` by payload and never ""). */
export function isUsableUnique(unique: string): boolean {
  return unique !== "-" && unique.length <= MAX_UNIQUE_LENGTH && /^[\x21-\x7e]+$/.test(unique);
}

/** With a number of 57 characters (a task's name has 40 at most) the name still is a label. */
const MAX_ATTEMPT = 9999;

/** The name of a build's Job where others hold those that it would have had: the number itself, then `-r1` and so on. */
export function jobName(number: string, attempt: number): string {
  return attempt === 0 ? number : `${number}-r${attempt}`;
}

/** The number of one of the Jobs of a build over several datasets, which is what that Job and its page are called by. */
export function memberNumber(number: string, index: number): string {
  return `${number}-${index}`;
}

/** A member's number taken apart; undefined for any other. */
export function parseMemberNumber(text: string): { number: string; index: number } | undefined {
  const [, number = "", index] = /^(.+-[0-9a-f]{16})-(0|[1-9][0-9]?)$/.exec(text) ?? [];
  return index !== undefined && isBuildNumber(number) ? { number, index: Number(index) } : undefined;
}

/** Which of the names of its number a Job has, see `jobName`. */
export function jobAttempt(name: string): number {
  return Number(/-r([1-9][0-9]{0,3})$/.exec(name)?.[1] ?? 0);
}

/** What the Job of this name is found by: the number of its build, or, of several datasets, the member's. */
export function pageNumber(name: string): string {
  return name.replace(/-r[1-9][0-9]{0,3}$/, "");
}

/** The number of the build whose Job has this name; a number ends with 16 digits, see `buildNumber`. */
export function jobNumber(name: string): string {
  const number = pageNumber(name);
  return parseMemberNumber(number)?.number ?? number;
}

/** A Job's name is a label of its pods. */
const MAX_NAME_LENGTH = 63;

/** The last attempt at a name that begins with this, see `nextAttempt`. */
export function lastAttempt(name: string): number {
  return Math.min(MAX_ATTEMPT, 10 ** Math.max(0, MAX_NAME_LENGTH - name.length - "-r".length) - 1);
}

/** How far the search for a name has come: the last attempt whose name is taken, and the first one above it that is known to be free. */
export interface NameSearch {
  taken: number;
  free: number | undefined;
}

/**
 * What to look at next; undefined when no name is left. Doubles until a free one is found, then halves what is between: earlier builds of one
 * request may hold names by the thousand, and are not looked at one after another. Whoever sees the same Jobs finds the same name, so that
 * the API server makes one Job though two ask; of names that are taken in one row, the last has been looked at.
 */
export function nextAttempt({ taken, free }: NameSearch, last = MAX_ATTEMPT): { kind: "look" | "take"; attempt: number } | undefined {
  if (free === undefined) {
    const attempt = Math.min(Math.max(1, taken * 2), last);
    return attempt > taken ? { kind: "look", attempt } : undefined;
  }
  return free - taken > 1 ? { kind: "look", attempt: Math.floor((taken + free) / 2) } : { kind: "take", attempt: free };
}
