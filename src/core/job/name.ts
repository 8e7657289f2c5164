/** How a build gets its number, and its Job a name. */

/** What makes a Gearman request the one it is. A server that loses its worker hands the same three out again. */
export interface RequestIdentity {
  server: string;
  functionName: string;
  unique: string;
}

/**
 * A build's number, which is its Job's name too (see `jobName`): the TestTask's name and 64 bits of hash over the request's identity. Equal requests get
 * equal numbers, so that the API server refuses to run one twice.
 */
export function buildNumber(
  taskName: string,
  { server, functionName, unique }: RequestIdentity,
  sha256Hex: (text: string) => string,
): string {
  return `${taskName}-${sha256Hex(JSON.stringify([server, functionName, unique])).slice(0, 16)}`;
}

/** gearmand cuts a unique at 64 bytes; longer ones, and those that servers treat as "none", do not tell requests apart. */
const MAX_UNIQUE_LENGTH = 64;

/** True when `unique` names one request; else the build gets an id of ours (gearmand coalesces `-` by payload and never ""). */
export function isUsableUnique(unique: string): boolean {
  return unique !== "" && unique !== "-" && unique.length <= MAX_UNIQUE_LENGTH && /^[\x21-\x7e]+$/.test(unique);
}

/** The name of the Job of a build where Jobs of so many others hold the names that it would have had; its own number where none does. */
export function jobName(number: string, heldByOthers: number): string {
  return heldByOthers === 0 ? number : `${number}-r${heldByOthers}`;
}
