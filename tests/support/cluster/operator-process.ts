import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { type Child, startChild } from "../child-process.ts";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));
/** Longer than a Lease, which a replica may have to see run out. */
const LINE_TIMEOUT_MS = 60_000;

export interface OperatorProcess extends AsyncDisposable {
  readonly child: Child;
  /** Its log lines so far, parsed. */
  readonly lines: readonly Record<string, unknown>[];
  /** The first line of that message (of one of these) that `isMeant`; rejects when none comes within 60 s. */
  logged(message: string | readonly string[], isMeant?: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  /** What its last word says: whether it is the replica that takes builds. */
  readonly takesBuilds: boolean;
  /** SIGTERM, and after `graceMs` (5 s) SIGKILL; resolves with the exit code. */
  stop(graceMs?: number): Promise<number | null>;
}

/** Runs `turbo-hipster operator` as a user does, with a configuration file, and waits until it has said `until`. */
export async function startOperator(options: {
  kubeconfig: string;
  config: object;
  /** Default: that it takes builds. Beside another replica that does, one is only ready to; without an API server it only starts. */
  until?: "takes builds" | "is ready" | "starts";
}): Promise<OperatorProcess> {
  const directory = await mkdtemp(join(tmpdir(), "th-operator-"));
  const file = join(directory, "config.yaml");
  const config = { drain: "0s", http: { public: "127.0.0.1:0", internal: "127.0.0.1:0" }, ...options.config };
  await writeFile(file, stringify(config));
  const lines: Record<string, unknown>[] = [];
  const waiting = new Set<() => void>();
  const child = await startChild({
    command: process.execPath,
    args: [MAIN, "operator", "--config", file, "--kubeconfig", options.kubeconfig],
    onLine: (text) => {
      lines.push(JSON.parse(text) as Record<string, unknown>);
      for (const look of [...waiting]) look();
    },
  });
  const logged: OperatorProcess["logged"] = async (message, isMeant = () => true) => {
    const found = Promise.withResolvers<Record<string, unknown>>();
    const look = () => {
      const line = lines.find((each) => [message].flat().includes(String(each.msg)) && isMeant(each));
      if (line) found.resolve(line);
    };
    const fail = (why: string) =>
      found.reject(new Error(`${why} "${[message].flat().join(" or ")}": ${child.log()} ${JSON.stringify(lines.slice(-100))}`));
    const timer = setTimeout(() => fail("waited 60 s in vain for the line"), LINE_TIMEOUT_MS);
    void child.exited.then(() => fail("the operator ended before it said"));
    waiting.add(look);
    look();
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      waiting.delete(look);
    }
  };
  const stop = async (graceMs?: number) => {
    const { code } = await child.stop(graceMs);
    await rm(directory, { recursive: true, force: true });
    return code;
  };
  try {
    await logged(options.until ?? "takes builds");
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    child,
    lines,
    logged,
    get takesBuilds() {
      return lines.findLast(({ msg }) => msg === "takes builds" || msg === "takes no more builds")?.msg === "takes builds";
    },
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
