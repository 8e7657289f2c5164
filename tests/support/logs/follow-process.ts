// Follows one container's log into a spool, as a process of its own that can be killed: KUBECONFIG NAMESPACE POD CONTAINER DIRECTORY LIMIT.
// Says `size N` when the spool has grown; ends with 0 when the log has.
import type { Pod } from "../../../src/core/kubernetes/objects.ts";
import { type ContainerRun, observeContainerRun } from "../../../src/core/logs/container-run.ts";
import { makeMasker } from "../../../src/core/logs/masking.ts";
import { loadKubeClient } from "../../../src/kube/client/kube-client.ts";
import { PODS } from "../../../src/kube/client/resource.ts";
import { PodLogs } from "../../../src/kube/objects/pod-logs.ts";
import { followLog } from "../../../src/logs/follow/log-follower.ts";
import { LogSpool } from "../../../src/logs/follow/log-spool.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { makeLogger } from "../../../src/runtime/logger.ts";

const [kubeconfig = "", namespace = "", pod = "", container = "", directory = "", limit = ""] = process.argv.slice(2);
const client = await loadKubeClient({ kubeconfig });
const spool = await LogSpool.open(directory, { limitBytes: Number(limit) });
console.log(`size ${spool.size}`);
spool.onGrowth(() => console.log(`size ${spool.size}`));
const done = new AbortController();
let run: ContainerRun | undefined;
let isPodOver = false;
const hasEnded = () => run?.hasEnded === true && (isPodOver || !run.mayBeRepeated);
const look = async () => {
  const seen = await client.get<Pod>(PODS, namespace, pod).catch(() => undefined);
  run = (seen && observeContainerRun(seen, container)) ?? run;
  isPodOver = ["Succeeded", "Failed"].includes(seen?.status?.phase ?? "");
};
await look();
const looking = (async () => {
  while (!done.signal.aborted && !hasEnded()) {
    await look();
    await systemClock.sleep(300, done.signal).catch(() => {});
  }
})();
await followLog(
  {
    ...{ spool, hasEnded, clock: systemClock, logger: makeLogger("debug") },
    source: new PodLogs(client, { namespace, pod, container }),
    masker: makeMasker([]),
    run: () => run,
  },
  new AbortController().signal,
);
done.abort();
await looking;
await spool.close();
await client.close();
