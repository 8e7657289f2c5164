import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIP } from "node:net";
import { join } from "node:path";
import { InputError } from "../src/runtime/errors.ts";
import { CommandError, type RunOptions, runCommand } from "../tools/machine/run-command.ts";
import { waitUntil } from "../tools/machine/wait-until.ts";
import { buildParts } from "./local/parts.ts";

/** kubectl with these arguments, in one cluster; gives its standard output. Throws CommandError. */
export type Kubectl = (args: readonly string[], options?: RunOptions) => Promise<string>;

const CHECK_LIMIT_MS = 180_000;
const NO_IMAGE = ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"];

/** kubectl for the cluster of a context of the kubeconfig: the kubectl of the PATH, or ours; `command` is which. */
export async function findKubectl(context: string, log: (line: string) => void): Promise<{ kubectl: Kubectl; command: string }> {
  let command = "kubectl";
  await runCommand(command, ["version", "--client"]).catch(async (error) => {
    if (!(error instanceof CommandError) || error.exitCode !== null) throw error;
    command = join(await buildParts(["kubectl"], log), "kubectl");
  });
  const kubectl: Kubectl = (args, options) => runCommand(command, ["--context", context, "--request-timeout=30s", ...args], options);
  return { kubectl, command };
}

/** The version of its API server, as in `v1.36.3`. Throws InputError when it does not answer. */
export async function askVersion(kubectl: Kubectl, context: string): Promise<string> {
  const version = await kubectl(["version", "--output=json"]).catch((error: Error) => {
    throw new InputError(
      `the cluster of context ${context} does not answer; kubectl config get-contexts lists what there is\n${error.message}`,
    );
  });
  return JSON.parse(version).serverVersion.gitVersion;
}

/**
 * This machine's address as pods most likely reach it: the one from which it reaches the API server, or the nodes where the API server is
 * forwarded to this machine, as kind does. Throws InputError where neither is known.
 */
export async function guessHostAddress(kubectl: Kubectl): Promise<string> {
  const server = new URL(await kubectl(["config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}"]));
  const nodes = () => kubectl(["get", "nodes", "--output=jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}"]);
  const address = (await ownAddressTowards(server.hostname)) ?? (await ownAddressTowards(await nodes().catch(() => "")));
  if (address !== undefined) return address;
  throw new InputError(`how do pods reach this machine? Name its address with --host-address, for example
  kind:      --host-address $(docker network inspect kind --format '{{(index .IPAM.Config 0).Gateway}}')
  minikube:  --host-address $(minikube ssh grep host.minikube.internal /etc/hosts | cut -f1)`);
}

/** undefined where that is this machine itself, or no IPv4 address is known. */
async function ownAddressTowards(host: string): Promise<string | undefined> {
  if (host === "") return undefined;
  const socket = createSocket("udp4");
  try {
    // Sends nothing: only asks the kernel for the route.
    socket.connect(9, host);
    await once(socket, "connect");
    const { address } = socket.address();
    return isIP(address) && !address.startsWith("127.") ? address : undefined;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

interface PodStatus {
  phase?: string;
  containerStatuses?: { state?: { waiting?: { reason?: string } } }[];
}

/**
 * Runs a pod of the image as builds will, so that an image that isn't there is told before builds wait for it: InputError. Returns undefined
 * when `command` ended with 0, what it printed when it did not.
 */
export async function runCheckPod(
  kubectl: Kubectl,
  check: { name: string; namespace: string; image: string; command: readonly string[] },
): Promise<string | undefined> {
  const { name, namespace, image } = check;
  const inNamespace = ["--namespace", namespace];
  await kubectl([...inNamespace, "create", "--filename", "-"], { input: JSON.stringify(renderCheckPod(check)) });
  let status: PodStatus = {};
  try {
    await waitUntil("a pod that checks the cluster", CHECK_LIMIT_MS, async () => {
      status = JSON.parse(await kubectl([...inNamespace, "get", "pod", name, "--output=json"])).status;
      return status.phase === "Succeeded" || status.phase === "Failed" || hasNoImage(status);
    });
    if (hasNoImage(status)) throw new InputError(imageRemedy(image));
    return status.phase === "Failed" ? (await kubectl([...inNamespace, "logs", name])).trimEnd() : undefined;
  } finally {
    await kubectl([...inNamespace, "delete", "pod", name, "--wait=false"]);
  }
}

function hasNoImage(status: PodStatus): boolean {
  return status.containerStatuses?.some(({ state }) => NO_IMAGE.includes(state?.waiting?.reason ?? "")) ?? false;
}

function imageRemedy(image: string): string {
  return `the cluster has no image ${image}. Build it and give it to the cluster, for example
  docker build -f deploy/Dockerfile -t ${image} .     (or, as root on Debian: npm run image -- --tag ${image} --output /tmp/turbo-hipster.tar)
  kind load docker-image ${image}                     (or: kind load image-archive /tmp/turbo-hipster.tar)
  minikube image load ${image}                        (or: minikube image load /tmp/turbo-hipster.tar)
or push it to a registry and name it with --image`;
}

function renderCheckPod({ name, image, command }: { name: string; image: string; command: readonly string[] }): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          ...{ name: "check", image, command },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
    },
  };
}
