import { Resolver } from "node:dns/promises";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TurboHipsterError } from "../../src/runtime/errors.ts";
import { makeCgroup } from "../../tools/machine/cgroups.ts";
import { WaitError, waitUntil } from "../../tools/machine/wait-until.ts";
import { getFromApiServer } from "./api-server.ts";
import { certificatePaths, makeCertificates } from "./certificates.ts";
import { connectNode } from "./node/cluster-network.ts";
import { type ClusterNode, findRunningPrograms, readLog, startNode, startProgram } from "./node/cluster-node.ts";
import {
  CLUSTER_DOMAIN,
  type ClusterPlan,
  certificateRequests,
  KUBECONFIG_USERS,
  kubeconfigPath,
  renderConfigFiles,
  renderKubeconfig,
  renderPrograms,
  resolvConfPath,
} from "./node/cluster-programs.ts";
import { importImages, isContainerdListening } from "./node/containerd-images.ts";
import { writePauseImage } from "./node/pause-image.ts";

/** How long a step may take on a machine that is busy with other things. */
const STEP_LIMIT_MS = 120_000;
/** How long a program that was started may not be seen among the processes. */
const APPEAR_LIMIT_MS = 5000;

/** Starts a cluster whose addresses are reserved and of which nothing else exists; resolves when it can run pods. */
export async function startCluster(plan: ClusterPlan, programs: string): Promise<void> {
  const { paths, addresses } = plan;
  for (const directory of ["logs", "pki", "config/cni", "node", "run", "kubelet", "pod-logs"]) {
    mkdirSync(join(paths.directory, directory), { recursive: true });
  }
  await writeFiles(plan);
  makeCgroup(paths.cgroup);
  const node = await startNode(paths, programs);
  await connectNode(paths, addresses, node.pid);
  const { first, withApi } = renderPrograms(plan);
  for (const program of first) await startProgram(plan, node, program);
  await Promise.all([waitForProgram(plan, node, "kube-apiserver", isReady), loadPauseImage(plan, node, programs)]);
  // A kubelet that comes before its API server may stay NotReady for half a minute.
  for (const program of withApi) await startProgram(plan, node, program);
  await Promise.all([
    waitForProgram(plan, node, "kubelet", isNodeReady),
    waitForProgram(plan, node, "kube-controller-manager", hasServiceAccount),
    waitForProgram(plan, node, "coredns", isResolving),
  ]);
}

/** Whether everything of the cluster runs and answers. */
export async function isClusterUp(plan: ClusterPlan, node: ClusterNode): Promise<boolean> {
  const { first, withApi } = renderPrograms(plan);
  const programs = [...first, ...withApi];
  if (findRunningPrograms(node, programs).size < programs.length) return false;
  return (await isReady(plan)) && (await isNodeReady(plan));
}

async function writeFiles(plan: ClusterPlan): Promise<void> {
  const { paths } = plan;
  await makeCertificates(paths.pki, certificateRequests(plan));
  const pem = (file: string) => readFileSync(join(paths.pki, file), "utf8");
  const write = (file: string, text: string) => writeFileSync(file, text, { mode: 0o600 });
  for (const [file, text] of Object.entries(renderConfigFiles(plan))) write(file, text);
  for (const user of KUBECONFIG_USERS) {
    const { certificate, key } = certificatePaths(paths.pki, user);
    const credentials = { ca: pem("ca.crt"), certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
    write(kubeconfigPath(paths, user), renderKubeconfig(plan, user, credentials));
  }
  // The resolver on the host's loopback address does not exist in the node; what it asks does.
  const resolvers = ["/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"].find((file) => existsSync(file));
  const text = resolvers === undefined ? "" : readFileSync(resolvers, "utf8");
  // What its absence means (resolv.conf(5)); the cluster's DNS wants it written.
  writeFileSync(resolvConfPath(paths), /^nameserver\s/m.test(text) ? text : `${text}\nnameserver 127.0.0.1\n`);
}

async function loadPauseImage(plan: ClusterPlan, node: ClusterNode, programs: string): Promise<void> {
  const archive = join(plan.paths.directory, "pause.tar");
  writePauseImage(join(programs, "pause"), archive);
  await waitForProgram(plan, node, "containerd", ({ paths }) => isContainerdListening(paths));
  await importImages(plan.paths, archive);
}

/** Waits until `check` holds; throws with the end of the program's log when the program ends before, or takes too long. */
async function waitForProgram(
  plan: ClusterPlan,
  node: ClusterNode,
  name: string,
  check: (plan: ClusterPlan) => Promise<boolean>,
): Promise<void> {
  const { first, withApi } = renderPrograms(plan);
  const program = [...first, ...withApi].filter((candidate) => candidate.name === name);
  const withLog = (message: string) =>
    new TurboHipsterError("TH_CLUSTER", `${message}; the end of ${plan.paths.logs}/${name}.log:\n${readLog(plan.paths, name)}`);
  const startedMs = performance.now();
  let hasRun = false;
  try {
    await waitUntil(`${name} to be of use`, STEP_LIMIT_MS, async () => {
      if (await check(plan)) return true;
      const isRunning = findRunningPrograms(node, program).size > 0;
      hasRun ||= isRunning;
      // The shell that starts a program has gone before the program is there to be seen.
      if (!isRunning && (hasRun || performance.now() - startedMs > APPEAR_LIMIT_MS)) throw withLog(`${name} has ended`);
      return false;
    });
  } catch (error) {
    if (error instanceof WaitError) throw withLog(error.message);
    throw error;
  }
}

/** Includes the built-in roles: `/readyz` waits for what makes them. */
async function isReady({ paths, addresses }: ClusterPlan): Promise<boolean> {
  return (await getFromApiServer(paths, addresses, "/readyz"))?.status === 200;
}

async function isNodeReady({ paths, addresses }: ClusterPlan): Promise<boolean> {
  const answer = await getFromApiServer(paths, addresses, `/api/v1/nodes/${paths.name}`);
  if (answer?.status !== 200) return false;
  const node: { status?: { conditions?: { type: string; status: string }[] }; spec?: { taints?: unknown[] } } = JSON.parse(answer.body);
  const ready = node.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;
  // The taint of a node that was not ready is taken off a moment after it became so.
  return ready && (node.spec?.taints ?? []).length === 0;
}

/** The DNS refuses all names until it has read the Services. */
async function isResolving({ addresses }: ClusterPlan): Promise<boolean> {
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([addresses.node]);
  try {
    return (await resolver.resolve4(`kubernetes.default.svc.${CLUSTER_DOMAIN}`)).includes(addresses.apiService);
  } catch {
    return false;
  }
}

/** No pod can be created in a namespace before it is there. */
async function hasServiceAccount({ paths, addresses }: ClusterPlan): Promise<boolean> {
  return (await getFromApiServer(paths, addresses, "/api/v1/namespaces/default/serviceaccounts/default"))?.status === 200;
}
