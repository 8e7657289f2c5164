import type { Container, PodSpec } from "../kubernetes/objects.ts";
import { escapeExpansion } from "../zuul/parameters.ts";

/** Where a script and what it says are, in the test's container. */
export interface ScriptFiles {
  script: string;
  /** Where the test writes what reviewers are to read. */
  result: string;
  /** The container's termination message. */
  termination: string;
  /** A FIFO that says when the test was told to end and its own grace is over. Default: the pod's grace is the test's, and the kubelet ends it. */
  graceOver?: string;
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

/**
 * What its runner leaves first in the termination message when a script has ended, before the script's exit code and a line end. A runtime
 * that has lost a container makes up an exit code: without the mark nobody knows that a script ended with it.
 */
export const END_MARK = "ended ";

/** A result text has 120 characters at most, and a pod with many containers has less than 1 KiB for each one's message. */
const MAX_RESULT_BYTES = 512;

/** What ends a program that does not handle it, but KILL. */
const SIGNALS = "HUP INT QUIT PIPE ALRM USR1 USR2 TERM";

/**
 * The script's parent where the runner is PID 1: holds a FIFO open for as long as it lives, and writes the exit code into another one. It
 * makes itself an orphan, as the runner would not heed TERM while it waits for what it runs in the foreground, and outlives what a test
 * sends to its whole process group.
 */
const KEEPER = `
trap : ${SIGNALS}
trap TH_STOPPING=1 TERM
TH_STOPPING=
exec 2>&3 3>&- 9>"$1"
kill -KILL "$PPID"
shift
[ -z "$TH_STOPPING" ] || { echo 143 >&8; exit; }
"$@" 8>&- 9>&-
echo $? >&8
`.trim();

/** Of a PID 1 the kernel drops what it does not handle; nor is it to end by what a test sends to its whole group. */
const INIT_TRAPS = `
trap TH_TOLD=1 ${SIGNALS}
trap TH_STOPPING=1 TERM
`.trim();

/**
 * Runs the script as PID 1. A shell heeds TERM at once in `wait` alone; it passes that on to every process of its namespace, which is
 * kill's `-1`. Without a terminal, what it runs with `&` ignores SIGINT and SIGQUIT for good: so the script is begun in the foreground, of
 * a subshell that its keeper kills, and what is waited for is who reads the keeper's FIFO. What `wait` says after a signal differs between
 * shells (127, bash: -1), so the exit code comes by a FIFO of its own, that of a killed keeper from the runner. An image without `mkfifo`
 * has to do with `&`. A TERM that came before there was a script is passed on when there is one: what a shell has just forked would take it
 * for its parent's, and lose it.
 *
 * With `graceOver`, who waits for that from TERM on kills what is left, which ends the keeper as well. Not by the runner's own count: that TERM
 * may have been the test's.
 *
 * Told to end, it waits when the script has ended for the script's other processes, which have got TERM like the script: when PID 1 ends,
 * the kernel kills them. No longer than the grace, for the TERM may have been the test's own (`kill 0`), and a daemon that it leaves ends
 * with its container.
 */
function runAsInit(graceSeconds: number, graceOver: string | undefined): string {
  const watch = `(trap "" ${SIGNALS}; read -r TH_OVER <"${graceOver}" && kill -KILL -1) & TH_WATCHER=$!`;
  return `
TH_WATCHER=
[ -z "$TH_STOPPING" ] || exit 143
exec 3>&2 2>/dev/null
if mkfifo "$TH_RESULT.life" "$TH_RESULT.code"; then
  exec 8<>"$TH_RESULT.code"
  (trap '' ${SIGNALS}; read -r TH_END <"$TH_RESULT.life") &
  TH_WAITER=$! TH_KEPT=1
  (/bin/sh -c '${KEEPER}' turbo-hipster "$TH_RESULT.life" "$@"; kill -KILL "$TH_WAITER")
  rm -f "$TH_RESULT.life" "$TH_RESULT.code"
else
  "$@" 2>&3 3>&- &
  TH_WAITER=$! TH_KEPT=
fi
trap 'TH_TOLD=1 TH_STOPPING=1; [ $$ != 1 ] || kill -TERM -1${graceOver === undefined ? "" : `; [ -n "$TH_WATCHER" ] || { ${watch}; }`}' TERM
[ -z "$TH_STOPPING" ] || { sleep 0.1 || sleep 1; kill -TERM $$; }
TH_TOLD=1
while [ -n "$TH_TOLD" ]; do
  TH_TOLD=
  wait "$TH_WAITER"
  TH_CODE=$?
done
[ -z "$TH_KEPT" ] || { echo 137 >&8; read -r TH_CODE <&8; }
if [ -n "$TH_STOPPING" ]; then
  [ -z "$TH_WATCHER" ] || kill -KILL "$TH_WATCHER"
  TH_LEFT=${graceSeconds * 10}
  while [ "$TH_LEFT" -gt 0 ] && kill -0 -1; do
    if sleep 0.1; then TH_LEFT=$((TH_LEFT - 1)); else sleep 1 && TH_LEFT=$((TH_LEFT - 10)) || break; fi
  done
fi
exec 2>&3 3>&-
`.trim();
}

/** Runs the script where TERM ends the runner at once, as it is not PID 1. */
const RUN = `
"$@"
TH_CODE=$?
`.trim();

/**
 * The first process of the test's container; it gets the files of result and termination message, what else is needed ("" for nothing), and
 * the command.
 * - Programs that `pip install` and its like put below HOME, when they may not write anywhere else, are found first.
 * - It ends with what the script ended with, 128+n for a signal n, and takes in orphans meanwhile, as any shell that waits does.
 * - The result file may be anything that a test leaves there: a FIFO, a directory, gigabytes without a line end. Its beginning goes into the
 *   termination message, behind the mark; where it is empty, what the test has written there itself. Nothing is forked for neither.
 *
 * Variables begin with TH_, which neither request nor task can set, so that none changes one that the script inherits.
 */
function renderRunner(traps: string, run: string): string {
  return `
PATH="$HOME/.local/bin\${PATH:+:$PATH}"
export PATH
TH_RESULT=$1 TH_TERMINATION=$2 TH_NEEDS=$3 TH_STOPPING=
shift 3
${traps}
for TH_PROGRAM in "$1" \${TH_NEEDS:+"$TH_NEEDS"}; do
  case $TH_PROGRAM in
    */*) [ -f "$TH_PROGRAM" ] && [ -x "$TH_PROGRAM" ] && continue ;;
    *) command -v "$TH_PROGRAM" >/dev/null && continue ;;
  esac
  echo "the interpreter $TH_PROGRAM of the script is not in the image" >&2
  echo "${NO_INTERPRETER.before}$TH_PROGRAM of the script is not in the image" >"$TH_TERMINATION"
  exit ${NO_INTERPRETER.exitCode}
done
${run}
TH_SAID=
[ -f "$TH_RESULT" ] && [ -s "$TH_RESULT" ] || TH_RESULT=$TH_TERMINATION
if [ -s "$TH_RESULT" ]; then
  TH_SAID=$(head -c ${MAX_RESULT_BYTES} "$TH_RESULT") || IFS= read -r TH_SAID <"$TH_RESULT"
fi
printf '${END_MARK}%s\\n%s' "$TH_CODE" "$TH_SAID" >"$TH_TERMINATION"
exit "$TH_CODE"
`.trim();
}

/**
 * What runs a script in the test's container. TERM reaches all of it unless its process namespace is others', too: there this is no PID 1,
 * and TERM ends it at once.
 */
export function renderScript(
  script: string,
  { hostPID, shareProcessNamespace, terminationGracePeriodSeconds = DEFAULT_GRACE_SECONDS }: PodSpec,
  files: ScriptFiles,
): Pick<Container, "command" | "args"> {
  const { command, needs } = parseInterpreter(script);
  const isInit = !hostPID && !shareProcessNamespace;
  const runner = isInit ? renderRunner(INIT_TRAPS, runAsInit(terminationGracePeriodSeconds, files.graceOver)) : renderRunner("", RUN);
  // The name is what shells begin their messages with.
  const own = ["/bin/sh", "-c", runner, "turbo-hipster"];
  return {
    command: [...own, files.result, files.termination, needs, ...command, files.script].map(escapeExpansion),
    args: [],
  };
}
