import { parentPort } from "node:worker_threads";
import { LineTimes } from "../../core/checks/line-times.ts";
import { LogChecks } from "../../core/checks/log-checks.ts";
import type { FromWorker, ToWorker } from "./check-messages.ts";

/** The thread in which logs are checked, one after another: a thousand builds are answered by the other one meanwhile. */
if (!parentPort) throw new Error("this is a worker's thread, which CheckThread starts");
const port = parentPort;
const tell = (message: FromWorker) => port.postMessage(message);
let run: LogChecks | undefined;

port.on("message", (message: ToWorker) => {
  try {
    take(message);
  } catch (thrown) {
    tell({ kind: "failed", message: thrown instanceof Error ? thrown.message : String(thrown) });
  }
});

function take(message: ToWorker): void {
  switch (message.kind) {
    case "begin": {
      const times = new LineTimes();
      for (const { line, ms } of message.times) times.note(line, ms);
      const last = { at: (line: number) => times.at(line), lastMs: message.lastMs };
      run = new LogChecks(message.checks, { times: last, kept: message.kept });
      break;
    }
    case "chunk":
      run?.write(message.bytes);
      tell({ kind: "taken" });
      break;
    case "end": {
      const checked = run?.end(message.values) ?? [];
      run = undefined;
      tell({ kind: "checked", checked });
    }
  }
}
