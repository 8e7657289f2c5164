import { fileURLToPath } from "node:url";
import { startChild, untilReady } from "../child-process.ts";
import { ensurePythonVenv } from "../zuul/python-venv.ts";

export type Cut =
  /** Both sides are closed like that. */
  | { how: "rst" | "fin" }
  /** No packet passes in either direction, so that only keepalive can tell; after `ms` both sides get a reset. */
  | { how: "blackhole"; ms: number }
  /** The same, but after `ms` everything goes on. */
  | { how: "stall"; ms: number };

/** A proxy that can do to connections what networks do, down to packets that are lost without a word. */
export interface LossyProxy extends AsyncDisposable {
  /** "host:port". */
  readonly address: string;
  /** Does it to one of the open connections, chosen by `pick` in [0, 1), or to all; resolves with how many those were. */
  cut(cut: Cut, pick?: number): Promise<number>;
}

const READY_TIMEOUT_MS = 30_000;

/** In a process of its own, which dies with this one. */
export async function startLossyProxy(target: { port: number; host?: string }): Promise<LossyProxy> {
  const { python } = await ensurePythonVenv();
  const script = fileURLToPath(new URL("lossy_proxy.py", import.meta.url));
  const listening = Promise.withResolvers<number>();
  const answers = new Map<number, (count: number) => void>();
  const child = await startChild({
    command: python,
    args: ["-I", script, target.host ?? "127.0.0.1", String(target.port)],
    onLine(line) {
      const message = JSON.parse(line);
      if (message.event === "listening") listening.resolve(message.port);
      else answers.get(message.id)?.(message.count);
    },
  });
  const ended = child.exited.then(() => new Error(`the proxy has ended: ${child.log()}`));
  const port = await untilReady(child, listening.promise, { name: "the proxy", timeoutMs: READY_TIMEOUT_MS });
  let lastId = 0;
  return {
    address: `127.0.0.1:${port}`,
    cut(cut, pick) {
      const id = ++lastId;
      const answer = Promise.withResolvers<number>();
      answers.set(id, answer.resolve);
      void ended.then(answer.reject);
      child.writeLine(JSON.stringify({ op: "cut", id, ms: 0, ...cut, pick: pick ?? null }));
      return answer.promise.finally(() => answers.delete(id));
    },
    async [Symbol.asyncDispose]() {
      await child.stop();
    },
  };
}
