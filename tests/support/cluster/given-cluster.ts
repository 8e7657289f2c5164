import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askVersion, findKubectl, guessHostAddress, type Kubectl, runCheckPod } from "../../../deploy/context-cluster.ts";
import { InputError } from "../../../src/runtime/errors.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { NEED_HOST, NEED_OWN_CLUSTER } from "../left-out-files.ts";
import { KINDS_MADE_BY_TESTS, MADE_BY_TESTS_SELECTOR } from "./made-by-tests.ts";

const DEFINITION = "testtasks.turbo-hipster.io";
/** What the tests were written on; behaviour of newer and older ones may differ. */
const WRITTEN_FOR = /^v1\.36\./;

/** A cluster that somebody else made, as the files of a suite are told of it. */
export interface GivenCluster {
  context: string;
  /** A file of its own that holds this context alone. */
  kubeconfig: string;
  kubectl: string;
  /** This machine's address as pods reach it. */
  hostAddress: string;
  image: string;
}

export interface GivenClusterChoice {
  context: string;
  /** Of this program; the cluster has it or can pull it. */
  image: string;
  hostAddress?: string | undefined;
}

/**
 * Makes the cluster of a context of the kubeconfig (KUBECONFIG or ~/.kube/config) one for tests: `leftOut` says which files can't run in it,
 * and why. What the tests leave there goes with `leave`. Throws InputError where it can't be used, and leaves nothing there then.
 */
export async function prepareGivenCluster(
  { context, image, hostAddress }: GivenClusterChoice,
  log: (line: string) => void,
): Promise<{ cluster: GivenCluster; leftOut: Record<string, string>; leave(): Promise<void> }> {
  const { kubectl, command } = await findKubectl(context, log);
  const version = await askVersion(kubectl, context);
  log(`context ${context} is a Kubernetes ${version}${WRITTEN_FOR.test(version) ? "" : "; the tests were written for v1.36"}`);
  await requireNoDefinition(kubectl, context);
  const host = hostAddress ?? (await guessHostAddress(kubectl));
  const unreaching = await findUnreaching(kubectl, { context, image, host });
  const only = await kubectl(["config", "view", "--raw", "--flatten", "--minify"]);
  const directory = await mkdtemp(join(tmpdir(), "th-context-"));
  const kubeconfig = join(directory, "kubeconfig");
  await writeFile(kubeconfig, only, { mode: 0o600 });
  return {
    cluster: { context, kubeconfig, kubectl: command, hostAddress: host, image },
    leftOut: { ...NEED_OWN_CLUSTER, ...unreaching },
    async leave() {
      await rm(directory, { recursive: true, force: true });
      await removeWhatTestsMade(kubectl);
    },
  };
}

/** Also what an interrupted test has not removed itself. */
async function removeWhatTestsMade(kubectl: Kubectl): Promise<void> {
  // One that can't be removed leaves none of the others there.
  const failures: Error[] = [];
  for (const kind of KINDS_MADE_BY_TESTS) {
    await kubectl(["delete", kind, "--selector", MADE_BY_TESTS_SELECTOR, "--wait=false"]).catch((error: Error) => {
      if (!error.message.includes("doesn't have a resource type")) failures.push(error);
    });
  }
  // A request that waits may take as long as that.
  const definition = ["customresourcedefinition", DEFINITION, "--ignore-not-found", "--timeout=60s", "--request-timeout=0"];
  await kubectl(["delete", ...definition]).catch((error: Error) => failures.push(error));
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, failures.map(({ message }) => message).join("\n"));
}

/** Throws InputError, with the names of those that the kubeconfig has, where this is none of them. */
export async function requireContext(context: string, log: (line: string) => void): Promise<void> {
  const { kubectl } = await findKubectl(context, log);
  const names = (await kubectl(["config", "get-contexts", "--output=name"])).split("\n").filter((name) => name !== "");
  if (names.includes(context)) return;
  const there = names.length === 0 ? "it has none" : `there are ${names.join(", ")}`;
  throw new InputError(`the kubeconfig (KUBECONFIG or ~/.kube/config) has no context ${context}; ${there}`);
}

/** Who has TestTasks may have an operator that runs builds by them; the tests replace their definition, and take it away. */
async function requireNoDefinition(kubectl: Kubectl, context: string): Promise<void> {
  if ((await kubectl(["get", "customresourcedefinition", DEFINITION, "--ignore-not-found", "--output=name"])) === "") return;
  throw new InputError(
    `the cluster of context ${context} knows TestTasks already, and the tests would replace their definition. Give them a cluster without, or, ` +
      `where an interrupted run has left it, remove it with all TestTasks: kubectl --context ${context} delete crd ${DEFINITION}`,
  );
}

/** The files whose pods don't reach this machine: asks for it from a pod, which shows as well that the cluster has the image. */
async function findUnreaching(
  kubectl: Kubectl,
  { context, image, host }: { context: string; image: string; host: string },
): Promise<Record<string, string>> {
  const namespace = `th-check-${randomBytes(4).toString("hex")}`;
  const server = createServer((socket) => socket.end());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(0, host, resolve);
  await promise.catch((error: Error) => {
    throw new InputError(`can't listen on ${host}; name an address of this machine that pods reach with --host-address\n${error.message}`);
  });
  const { port } = server.address() as { port: number };
  const connect = `require("node:net").connect(${port}, ${JSON.stringify(host)})`;
  const script = `${connect}.setTimeout(20_000, () => process.exit(1)).resume().on("end", () => process.exit(0))`;
  try {
    await kubectl(["create", "namespace", namespace]);
    const account = ["get", "serviceaccount", "default", "--namespace", namespace, "--ignore-not-found", "--output=name"];
    await waitUntil("a namespace that pods can be made in", 30_000, async () => (await kubectl(account)) !== "");
    const failure = await runCheckPod(kubectl, { name: "check", namespace, image, command: ["node", "-e", script] });
    if (failure === undefined) return {};
    const because = `its pods must reach this machine, and those of context ${context} don't reach ${host} (--host-address names another)`;
    return Object.fromEntries(NEED_HOST.map((file) => [file, because]));
  } finally {
    server.close();
    await kubectl(["delete", "namespace", namespace, "--wait=false", "--ignore-not-found"]);
  }
}
