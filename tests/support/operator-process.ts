import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { type Child, startChild } from "./child-process.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const READY_TIMEOUT_MS = 30_000;

export interface OperatorProcess extends AsyncDisposable {
  readonly child: Child;
  /** Its log lines so far, parsed. */
  readonly lines: readonly Record<string, unknown>[];
  /** The first line of that message that `isMeant`; rejects when none comes within 30 s. */
  logged(message: string, isMeant?: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** Runs `turbo-hipster operator` as a user does, with a configuration file, and waits until it takes builds. */
export async function startOperator(options: {
  kubeconfig: string;
  config: object;
  /** Default: wait for it; a test of what goes wrong before that does not. */
  waitForReady?: boolean;
}): Promise<OperatorProcess> {
  const directory = await mkdtemp(join(tmpdir(), "th-operator-"));
  const file = join(directory, "config.yaml");
  const config = { drain: "0s", http: { public: "127.0.0.1:0", internal: "127.0.0.1:0" }, ...options.config };
  await writeFile(file, stringify(config));
  const lines: Record<string, unknown>[] = [];
  const ready = Promise.withResolvers<void>();
  const waiting = new Set<() => void>();
  const child = await startChild({
    command: process.execPath,
    args: [MAIN, "operator", "--config", file, "--kubeconfig", options.kubeconfig],
    onLine: (text) => {
      const line = JSON.parse(text) as Record<string, unknown>;
      lines.push(line);
      if (line.msg === "takes builds") ready.resolve();
      for (const look of [...waiting]) look();
    },
  });
  const logged: OperatorProcess["logged"] = async (message, isMeant = () => true) => {
    const found = Promise.withResolvers<Record<string, unknown>>();
    const look = () => {
      const line = lines.find((each) => each.msg === message && isMeant(each));
      if (line) found.resolve(line);
    };
    const timer = setTimeout(() => found.reject(new Error(`no line "${message}" in ${JSON.stringify(lines)}`)), READY_TIMEOUT_MS);
    waiting.add(look);
    look();
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      waiting.delete(look);
    }
  };
  const stop = async () => {
    const { code } = await child.stop();
    await rm(directory, { recursive: true, force: true });
    return code;
  };
  if (options.waitForReady ?? true) {
    const timer = setTimeout(
      () => ready.reject(new Error(`the operator is not ready after 30 s: ${JSON.stringify(lines)}`)),
      READY_TIMEOUT_MS,
    );
    void child.exited.then(() => ready.reject(new Error(`the operator ended: ${child.log()} ${JSON.stringify(lines)}`)));
    try {
      await ready.promise;
    } catch (error) {
      await stop();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
  return { child, lines, logged, stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}
