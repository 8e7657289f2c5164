/**
 * Where in a store the files of a build go: `LOG_PATH`, as Zuul's users have it (Zuul 2.6 sends `<base>/<pipeline>/<job>/<7 of the uuid>`, see
 * `zuul/launcher/gearman.py`; a parameter-function may make anything of it), or a place of the build's own where that cannot be.
 */

/** Below it each build has a place that no LOG_PATH can name: those never begin with an underscore. */
const OWN_PLACES = "_builds";
/** Below it the store keeps what it knows of builds. */
export const INDEX_FOLDER = "_index";
/** In a build's directory, what the test has uploaded; no part of a LOG_PATH is called so. */
export const ARTIFACTS_FOLDER = "artifacts";

const MAX_PATH_BYTES = 512;
/** Most file systems take 255 bytes; a little is left for what is put behind a name. */
const MAX_NAME_BYTES = 200;
const MAX_DEPTH = 16;

/** What must not be a file's name on Windows, whatever comes behind a dot; https://learn.microsoft.com/windows/win32/fileio/naming-a-file */
const WINDOWS_DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i;

export interface BuildPlace {
  namespace: string;
  /** Of its Job: no other build of the installation has it. */
  jobName: string;
}

export interface BuildDirectories {
  /** Where it goes unless another build is there: parts of safe characters with slashes between them. */
  wanted: string;
  /** Where it goes else, which is no other build's. */
  own: string;
  /** A clause that says why `wanted` is not LOG_PATH, where there is one. */
  why: string | undefined;
}

/** `logPath` is untrusted text, or null where the request had none. */
export function buildDirectories(logPath: string | null, build: BuildPlace): BuildDirectories {
  const own = ownDirectory(build);
  if (logPath === null || logPath.trim() === "") return { wanted: own, own, why: undefined };
  const why = reasonToRefuse(logPath);
  return why === undefined ? { wanted: parts(logPath).map(safeName).join("/"), own, why } : { wanted: own, own, why };
}

/** Of one of several datasets: in the directory of the build that it is part of, which nobody else has. */
export function memberDirectories(
  whole: { directory: string; why: string | undefined },
  dataset: string,
  build: BuildPlace,
): BuildDirectories {
  return { wanted: `${whole.directory}/${safeName(dataset)}`, own: ownDirectory(build), why: whole.why };
}

function ownDirectory({ namespace, jobName }: BuildPlace): string {
  return `${OWN_PLACES}/${namespace}/${jobName}`;
}

/** Empty parts, as at the beginning of an absolute path, say nothing. */
function parts(logPath: string): string[] {
  return logPath
    .normalize("NFC")
    .split("/")
    .filter((part) => part !== "");
}

function reasonToRefuse(logPath: string): string | undefined {
  if (!logPath.isWellFormed()) return "LOG_PATH holds half a character";
  if (/\p{Cc}/u.test(logPath)) return "LOG_PATH holds a control character";
  const names = parts(logPath);
  if (names.some((name) => /^\.{1,2}$/.test(name.trim()))) return 'LOG_PATH has a part "." or ".."';
  if (names.length === 0) return "LOG_PATH names nothing";
  if (names.length > MAX_DEPTH) return `LOG_PATH has more than ${MAX_DEPTH} parts`;
  if (names.some((name) => bytes(name) > MAX_NAME_BYTES)) return `LOG_PATH has a part of more than ${MAX_NAME_BYTES} bytes`;
  if (bytes(names.join("/")) > MAX_PATH_BYTES) return `LOG_PATH has more than ${MAX_PATH_BYTES} bytes`;
  if (safeName(names[0] ?? "").startsWith("_")) return "LOG_PATH begins with what is not a letter or a digit";
  return undefined;
}

/**
 * One part: letters and digits of any script and what no shell, URL, file system or Windows takes for something else. Two LOG_PATHs may become
 * one directory; the second build then finds it taken.
 */
function safeName(name: string): string {
  const safe = name
    .replace(/[^\p{L}\p{M}\p{N}._+=@,~-]/gu, "_")
    .replace(/^[.~-]/, "_")
    .replace(/\.$/, "_");
  if (WINDOWS_DEVICE.test(safe) || safe.toLowerCase() === ARTIFACTS_FOLDER) return safe.replace(/^[^.]+/, "$&_");
  return safe;
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
