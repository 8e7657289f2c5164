import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { chmod, type FileHandle, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
/** Where the node's directory is, in the pods. */
const MOUNT = "/gates";

/**
 * Waits at its gate without using the processor: to open a FIFO that nobody writes to takes until somebody does. One `echo` is one write, and
 * those of many pods do not mix.
 */
const SCRIPT = `echo "start $TEST_INDEX" >> ${MOUNT}/trace
: < "${MOUNT}/gate-$TEST_GATE"
echo "end $TEST_INDEX" >> ${MOUNT}/trace
[ -z "$TEST_TEXT" ] || echo "$TEST_TEXT" > "$TH_RESULT_FILE"
exit "$TEST_EXIT"
`;

export interface GatedTest {
  /** No other's; under this name the trace has it. */
  index: number;
  /** Where it waits. */
  gate: string;
  exitCode: number;
  /** What it leaves in its result file; "" for nothing. */
  text: string;
}

/** Tests in the pods of a node that is this machine: each writes down that it runs, waits at a gate until that is opened, and ends as told. */
export interface GatedTests extends AsyncDisposable {
  /** `spec` of a TestTask whose builds do what their parameters say. */
  taskSpec(image: string): { image: string; script: string; template: object };
  /** Lets all through that wait there, and all that come. */
  open(gate: string): Promise<void>;
  /** The indices of the tests that have begun, once for each time. */
  starts(): Promise<number[]>;
  /** How many of those that `isMeant` ran at once, at most. */
  mostAtOnce(isMeant: (index: number) => boolean): Promise<number>;
}

/** What Zuul's parameter-function sets for the build of a test; the same for all its launches. */
export function gatedParameters({ index, gate, exitCode, text }: GatedTest): Record<string, string> {
  return { TEST_INDEX: String(index), TEST_GATE: gate, TEST_EXIT: String(exitCode), TEST_TEXT: text };
}

/** Makes the gates, all closed. At the end all are opened, so that no test waits for ever. */
export async function makeGatedTests(gates: readonly string[]): Promise<GatedTests> {
  const directory = await mkdtemp(join(tmpdir(), "th-gates-"));
  const path = (name: string) => join(directory, name);
  // Pods run as somebody else.
  await chmod(directory, 0o755);
  await writeFile(path("trace"), "");
  await chmod(path("trace"), 0o666);
  for (const gate of gates) await run("mkfifo", ["--mode=644", path(`gate-${gate}`)]);
  const opened = new Map<string, FileHandle>();
  const trace = async () => (await readFile(path("trace"), "utf8")).split("\n").filter((line) => line !== "");
  const openGate = async (gate: string) => {
    // For reading as well, so that it need not wait for a reader.
    if (!opened.has(gate)) opened.set(gate, await open(path(`gate-${gate}`), constants.O_RDWR));
  };
  return {
    taskSpec: (image) => ({
      image,
      script: SCRIPT,
      template: {
        spec: {
          containers: [{ name: "test", volumeMounts: [{ name: "gates", mountPath: MOUNT }] }],
          volumes: [{ name: "gates", hostPath: { path: directory, type: "Directory" } }],
        },
      },
    }),
    open: openGate,
    async starts() {
      return (await trace()).filter((line) => line.startsWith("start ")).map((line) => Number(line.slice("start ".length)));
    },
    async mostAtOnce(isMeant) {
      let [running, most] = [0, 0];
      for (const line of await trace()) {
        const [event, index] = line.split(" ");
        if (!isMeant(Number(index))) continue;
        running += event === "start" ? 1 : -1;
        most = Math.max(most, running);
      }
      return most;
    },
    async [Symbol.asyncDispose]() {
      for (const gate of gates) await openGate(gate);
      for (const handle of opened.values()) await handle.close();
      await rm(directory, { recursive: true });
    },
  };
}
