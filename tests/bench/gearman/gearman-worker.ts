// node --expose-gc gearman-worker.ts SERVER FUNCTION: our Gearman link with a receiver that completes each build at once. Each line on
// standard input is answered by the memory in use after a collection, as JSON.
import { createInterface } from "node:readline";
import { makeGearmanLink } from "../../../src/gearman/worker/gearman-link.ts";
import { makeSlotPool } from "../../../src/gearman/worker/slot-pool.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const [server = "", functionName = ""] = process.argv.slice(2);
const link = makeGearmanLink({
  servers: [server],
  clientId: "bench",
  managerName: "bench",
  onAssignment: (assignment) => {
    void assignment.complete('{"result": "SUCCESS"}').then(() => assignment.slot.release());
  },
  isAwaited: () => false,
  onStop: () => {},
  logger: silentLogger,
  clock: systemClock,
});
link.setRegistrations({ functions: [], lanes: [{ name: "bench", functions: [functionName], slots: makeSlotPool({ capacity: 100 }) }] });
await link.start();
createInterface({ input: process.stdin }).on("line", () => {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  console.log(JSON.stringify({ heapBytes: heapUsed + external, rssBytes: rss }));
});
