import { type Config, servedPlaces } from "../../config.ts";
import { neededRights } from "../../core/kubernetes/needed-rights.ts";
import { listed } from "../../core/report/listed.ts";
import type { KubeClient } from "../../kube/client/kube-client.ts";
import { InputError } from "../../runtime/errors.ts";
import type { TestTasksSeen } from "../status/server-report.ts";
import { renderEventLine } from "../submit/submit-event.ts";
import { renderNoCanary } from "./canary-findings.ts";
import { type Finding, failed, ok, renderPlaces } from "./finding.ts";
import { lookAtInternalUrl, lookAtPublicUrl, lookAtZuulUrl } from "./look-at-addresses.ts";
import { lookAtCluster, withoutCluster } from "./look-at-cluster.ts";
import { lookAtServer } from "./look-at-gearman.ts";
import { lookAtStore } from "./look-at-store.ts";
import { type CanaryWorld, playCanary } from "./play-canary.ts";

interface Installation {
  readonly config: Config;
  readonly configFile: string;
  /** Or why there is none: what needs no cluster is looked at without. */
  readonly client: KubeClient | InputError;
  readonly canary?: string;
  readonly project: string;
  readonly zuulUrl?: string;
  readonly param?: readonly string[];
  /** Of the canary. */
  readonly timeoutMs: number;
}

interface Examination extends CanaryWorld {
  /** Lines about the canary while it runs. */
  onProgress(line: string): void;
}

const NO_CLIENT = "mend it, or name another with --kubeconfig and --context; in the operator's pod none is needed";

/** All looks, in the order in which a build comes by what they look at. Rejects when the signal aborts, or for arguments of no use. */
export async function examineInstallation(installation: Installation, world: Examination): Promise<Finding[]> {
  const { config, configFile, client, project, zuulUrl } = installation;
  const { gearman, logs, publicUrl, internalUrl } = config;
  const places = servedPlaces(config);
  const rights = neededRights(config.installation, logs.store !== "none");
  const cluster =
    client instanceof InputError
      ? Promise.resolve(withoutCluster(failed("API server", client.message, NO_CLIENT)))
      : lookAtCluster({ client, installation: config.installation, rights, ...places }, world);
  const store = lookAtStore(logs, world);
  const looks = Promise.all([
    cluster,
    cluster.then((known) => Promise.all(gearman.servers.map((server) => lookAtServer(server, known.seen, config.installation, world)))),
    Promise.all([
      store,
      lookAtPublicUrl(publicUrl, world),
      logs.store === "none" ? [] : lookAtInternalUrl(internalUrl, world),
      lookAtZuulUrl(zuulUrl, project, world),
    ]),
  ]);
  // However they end, the store's file is removed then.
  await Promise.allSettled([looks, store]);
  const [{ findings, seen }, servers, others] = await looks;
  return [
    ok("configuration", `${configFile} is valid: TestTasks of ${renderPlaces(places.namespaces)}; Gearman at ${listed(gearman.servers)}`),
    ...findings,
    ...servers.flat(),
    ...others.flat(),
    ...(await runCanary(installation, seen, world)),
  ];
}

async function runCanary(installation: Installation, seen: TestTasksSeen, world: Examination): Promise<Finding[]> {
  const { config, canary: task, project, zuulUrl, param: parameters = [], timeoutMs } = installation;
  const [server] = config.gearman.servers;
  if (task === undefined || server === undefined) return renderNoCanary();
  const onEvent: Parameters<typeof playCanary>[0]["onEvent"] = (event, elapsedMs) => world.onProgress(renderEventLine(event, elapsedMs));
  return playCanary({ task, server, project, zuulUrl, parameters, timeoutMs, onEvent }, seen, world);
}
