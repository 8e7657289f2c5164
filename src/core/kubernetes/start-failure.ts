import type { TerminatedState } from "./objects.ts";
import { withoutNames } from "./without-names.ts";

/** Why a container could not be started. `isConfiguration`: it never will be, until somebody changes the task or its image. */
interface StartFailure {
  cause: string;
  isConfiguration: boolean;
}

/** What the kubelet writes of a container whose first process could not be started; the message is then the runtime's. */
export function isStartFailure({ reason }: TerminatedState): boolean {
  return reason === "StartError" || reason === "ContainerCannotRun" || reason === "RunContainerError";
}

/** Why a container's first process could not be started; undefined for one that was. `memoryLimit` is its own. */
export function startFailure(terminated: TerminatedState, memoryLimit: string | number | undefined): StartFailure | undefined {
  return isStartFailure(terminated) ? judgeRuntimeWords(terminated.message ?? "", memoryLimit) : undefined;
}

/**
 * What containerd, CRI-O, runc and crun say of a container that they cannot make or start. The first that fits decides; what fits none, as of
 * the node's own state, is no configuration. The words are those of the sources named in tests/fixtures/runtime-words.ts.
 */
export function judgeRuntimeWords(message: string, memoryLimit: string | number | undefined): StartFailure {
  const said = causeOf(message);
  // A hook is the node's, and prints what it likes.
  if (/\b(?:running|executing) (?:\w+ )?hook\b|\bhook #?\d+\b/i.test(withoutNames(said))) return { cause: said, isConfiguration: false };
  const memory = memoryCause(said, memoryLimit);
  if (memory !== undefined) return { cause: memory, isConfiguration: true };
  const cause = CONFIGURATION.map((pattern) => pattern.exec(said)?.[0]).find((found) => found !== undefined);
  return cause === undefined ? { cause: said || "the runtime gave no reason", isConfiguration: false } : { cause, isConfiguration: true };
}

const WHY_NOT = "(?:executable file not found in \\$PATH|no such file or directory|permission denied|is a directory|exec format error)";

const CONFIGURATION: readonly RegExp[] = [
  // runc: the command itself, and where it should start. Behind other words it is a program of the node's: a shim, a runtime, `unpigz`.
  new RegExp(`^exec:? "(?:[^"\\\\]|\\\\.)*": (?:stat [^:]*: )?${WHY_NOT}`),
  /chdir to cwd \("[^"]*"\) set in config.json failed: (?:no such file or directory|permission denied|not a directory)/,
  // crun: the same.
  /executable file `[^`]*` not found(?: in \$PATH)?/,
  /open executable: (?:permission denied|no such file or directory)/i,
  // containerd and CRI-O: the user that the image or the pod names.
  /unable to find (?:user|group) [^ :]+: no matching entries in (?:passwd|group) file/,
  /no users found/,
  /cannot load seccomp profile "[^"]*"/,
];

/** A limit that is not even enough for the runtime's own first process; without a limit of its own it was the node's memory. */
function memoryCause(said: string, memoryLimit: string | number | undefined): string | undefined {
  const least = /set memory limit (?<bytes>\d+) too low; should be at least (?<least>\d+)/.exec(said)?.groups;
  if (least) return `memory limit ${memoryLimit ?? mebibytes(least.bytes)} is too low, ${mebibytes(least.least)} is the least`;
  const isTooLow =
    /container init was OOM-killed|the memory limit could be too low|unable to set memory limit to \d+ |Minimum memory limit allowed is/.test(
      said,
    ) || /memory\.(?:limit_in_bytes|max): device or resource busy/.test(said);
  return isTooLow && memoryLimit !== undefined ? `memory limit ${memoryLimit} is too low` : undefined;
}

function mebibytes(bytes = ""): string {
  const value = Number(bytes) / 2 ** 20;
  return Number.isInteger(value) ? `${value}Mi` : bytes;
}

/** The part of `failed to create ...: OCI runtime create failed: ...: unable to start container process: CAUSE: unknown` that says why. */
function causeOf(message: string): string {
  // CRI-O gives runc's log line, in which quotes are escaped.
  const plain = message.replaceAll('\\"', '"');
  const cause =
    /(?:unable to start container process|starting container process caused):? "?(?:error during container init: |process_linux\.go:\d+: container init caused: )*(.*)$/s.exec(
      plain,
    )?.[1] ?? plain.replace(/^.*?(?:container create failed|OCI runtime create failed): (?:\d{4}-\S+Z: )?/s, "");
  return cause.trim().replace(/"?: unknown$|(?<=^[^"]*)"$/, "");
}
