import type { Container, PodSpec } from "../kubernetes/objects.ts";
import { escapeExpansion } from "../zuul/parameters.ts";

/** Where a script and what it says are, in the test's container. */
export interface ScriptFiles {
  script: string;
  /** Where the test writes what reviewers are to read. */
  result: string;
  /** The container's termination message. */
  termination: string;
}

/** Who runs a script: its first line's word, or `sh -e`. */
interface Interpreter {
  command: string[];
  /** A program that has to be there as well, the one that `env` is to find; or "". */
  needs: string;
}

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination */
const DEFAULT_GRACE_SECONDS = 30;

const DEFAULT_INTERPRETER = ["/bin/sh", "-e"];

/**
 * Reads a first line `#!` as the kernel does: the interpreter's path, and all that follows as one argument. The schema lets absolute paths
 * pass only. https://man7.org/linux/man-pages/man2/execve.2.html
 */
function parseInterpreter(script: string): Interpreter {
  const [line = ""] = script.split("\n", 1);
  const words = line.slice(2).trim();
  if (!line.startsWith("#!") || words === "") return { command: DEFAULT_INTERPRETER, needs: "" };
  const [path = ""] = words.split(/[ \t]/, 1);
  const argument = words.slice(path.length).trim();
  const isName = argument !== "" && !argument.startsWith("-") && !argument.includes("=");
  return { command: argument === "" ? [path] : [path, argument], needs: path.endsWith("/env") && isName ? argument : "" };
}

/** How a test ends whose script cannot be run, and what its message begins with. */
export const NO_INTERPRETER = { exitCode: 127, before: "CONFIG_ERROR - the interpreter " };

/** A result text has 120 characters at most, and a pod with many containers has less than 1 KiB for each one's message. */
const MAX_RESULT_BYTES = 512;

/**
 * PID 1 of the test's container; it gets the files of result and termination message, what else is needed ("" for nothing), and the command.
 * - Programs that `pip install` and its like put below HOME, when they may not write anywhere else, are found first.
 * - The script runs in the foreground: in the background, a shell without a terminal would have all of it ignore SIGINT and SIGQUIT. It ends with
 *   what the script ended with, 128+n for a signal n, and takes in orphans meanwhile, as any shell that waits does.
 * - With a trap it knows, when the script has ended, that it was to end (a shell waits for what runs in the foreground before it looks). Then it
 *   waits for the script's other processes, which have got TERM like the script: when PID 1 ends, the kernel kills them. No longer than the grace,
 *   for the TERM may have been the test's own (`kill 0`), and a daemon that it leaves ends with its container.
 * - The result file may be anything that a test leaves there: a FIFO, a directory, gigabytes without a line end.
 *
 * Variables begin with TH_, which neither request nor task can set, so that none changes one that the script inherits.
 */
function renderRunner(setTrap: string, graceSeconds: number): string {
  return `
PATH="$HOME/.local/bin\${PATH:+:$PATH}"
export PATH
TH_RESULT=$1 TH_TERMINATION=$2 TH_NEEDS=$3 TH_STOPPING=
shift 3
${setTrap}
for TH_PROGRAM in "$1" \${TH_NEEDS:+"$TH_NEEDS"}; do
  case $TH_PROGRAM in
    */*) [ -f "$TH_PROGRAM" ] && [ -x "$TH_PROGRAM" ] && continue ;;
    *) command -v "$TH_PROGRAM" >/dev/null && continue ;;
  esac
  echo "the interpreter $TH_PROGRAM of the script is not in the image" >&2
  echo "${NO_INTERPRETER.before}$TH_PROGRAM of the script is not in the image" >"$TH_TERMINATION"
  exit ${NO_INTERPRETER.exitCode}
done
[ -z "$TH_STOPPING" ] || exit 143
"$@"
TH_CODE=$?
if [ -n "$TH_STOPPING" ]; then
  TH_LEFT=${graceSeconds * 10}
  while [ "$TH_LEFT" -gt 0 ] && kill -0 -1 2>/dev/null; do
    if sleep 0.1 2>/dev/null; then TH_LEFT=$((TH_LEFT - 1)); else sleep 1 && TH_LEFT=$((TH_LEFT - 10)) || break; fi
  done
fi
if [ -f "$TH_RESULT" ] && [ -s "$TH_RESULT" ]; then
  head -c ${MAX_RESULT_BYTES} "$TH_RESULT" >"$TH_TERMINATION" ||
    { IFS= read -r TH_LINE <"$TH_RESULT"; printf '%s\\n' "$TH_LINE" >"$TH_TERMINATION"; }
fi
exit "$TH_CODE"
`.trim();
}

/**
 * TERM for every process of the container, PID 1 included, before the kubelet sends its own to PID 1 alone; kill's `-1` is all of a process
 * namespace but its PID 1. https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
 */
const TERMINATE_ALL = { exec: { command: ["/bin/sh", "-c", "kill -TERM 1; kill -TERM -1"] } };

/**
 * What runs a script in the test's container. TERM reaches all of it unless its process namespace is others', too (where this is no PID 1, and
 * TERM ends it at once), or the template has a hook of its own.
 */
export function renderScript(
  script: string,
  { lifecycle }: Container,
  { hostPID, shareProcessNamespace, terminationGracePeriodSeconds = DEFAULT_GRACE_SECONDS }: PodSpec,
  files: ScriptFiles,
): Pick<Container, "command" | "args" | "lifecycle"> {
  const { command, needs } = parseInterpreter(script);
  const isAlone = !hostPID && !shareProcessNamespace;
  // The name is what shells begin their messages with.
  const own = ["/bin/sh", "-c", renderRunner(isAlone ? "trap TH_STOPPING=1 TERM" : "", terminationGracePeriodSeconds), "turbo-hipster"];
  return {
    command: [...own, files.result, files.termination, needs, ...command, files.script].map(escapeExpansion),
    args: [],
    ...(isAlone ? { lifecycle: { preStop: TERMINATE_ALL, ...lifecycle } } : {}),
  };
}
