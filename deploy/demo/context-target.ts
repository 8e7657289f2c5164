import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIP } from "node:net";
import { join } from "node:path";
import { coerceError, InputError } from "../../src/runtime/errors.ts";
import { CommandError, type RunOptions, runCommand } from "../../tools/machine/run-command.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { buildParts } from "../local/parts.ts";
import type { DemoTarget, Log } from "./demo-target.ts";

interface ContextChoice {
  context: string;
  image: string;
  /** Address of this machine as pods reach it; found by itself where the API server is on another machine. */
  hostAddress: string | undefined;
  /** Called before the namespace is made. */
  onNamespace(): void;
}

const OWNER_LABEL = "app.kubernetes.io/managed-by=turbo-hipster-demo";
const DEFINITION = "testtasks.turbo-hipster.io";
const CHECK_POD = "demo-check";
const CHECK_LIMIT_MS = 180_000;

/** Makes a namespace of the demo's own in a cluster that somebody else runs. Throws InputError where it can't be used. */
export async function prepareContextTarget(name: string, choice: ContextChoice, log: Log): Promise<DemoTarget> {
  const { context, image } = choice;
  const namespace = demoNamespace(name);
  const { kubectl, command } = await findKubectl(context, log);
  const version = await kubectl(["version", "--output=json"]).catch((error: Error) => {
    throw new InputError(
      `the cluster of context ${context} does not answer; kubectl config get-contexts lists what there is\n${error.message}`,
    );
  });
  log(`context ${context} is a Kubernetes ${JSON.parse(version).serverVersion.gitVersion}`);
  const host = choice.hostAddress ?? (await guessHostAddress(kubectl));
  choice.onNamespace();
  await kubectl(["create", "namespace", namespace]).catch((error: Error) => {
    throw new InputError(
      `can't make the namespace ${namespace}; if an earlier demo left it: kubectl --context ${context} delete namespace ${namespace}\n${error.message}`,
    );
  });
  await kubectl(["label", "namespace", namespace, OWNER_LABEL]);
  log(`made the namespace ${namespace} for the demo; it goes with the demo`);
  return {
    namespace,
    image,
    operatorArguments: ["--context", context],
    listen: "0.0.0.0",
    host,
    kubectlForPeople: `${command} --context ${context} --namespace ${namespace}`,
    kubectl: (args, input) => kubectl(["--namespace", namespace, ...args], input === undefined ? {} : { input }),
  };
}

/**
 * Removes the demo's namespace with all that is in it, and the definition of TestTasks if the demo brought it. Throws InputError, with what
 * to do by hand, when the cluster does not let it.
 */
export async function removeContextTarget(name: string, context: string, madeDefinition: boolean, log: Log): Promise<void> {
  const namespace = demoNamespace(name);
  const { kubectl } = await findKubectl(context, log);
  log(`removing the namespace ${namespace}`);
  const select = ["--selector", OWNER_LABEL, "--field-selector", `metadata.name=${namespace}`];
  try {
    await kubectl(["delete", "namespace", ...select, "--timeout=120s"]);
    if (madeDefinition) await kubectl(["delete", "crd", DEFINITION, "--ignore-not-found", "--timeout=60s"]);
  } catch (error) {
    const byHand = [`delete namespace ${namespace}`, ...(madeDefinition ? [`delete crd ${DEFINITION}`] : [])];
    throw new InputError(
      [
        `could not clean up in the cluster of context ${context}; when it can be reached:`,
        ...byHand.map((words) => `  kubectl --context ${context} ${words}`),
        coerceError(error).message,
      ].join("\n"),
      { cause: error },
    );
  }
}

/**
 * Runs a pod that asks for the repository as builds will, so that an image that isn't there or an address that pods can't reach is told
 * before builds wait for it.
 */
export async function checkFromPod(target: DemoTarget, repository: string, log: Log): Promise<void> {
  log(`checking from a pod that the cluster has ${target.image} and reaches ${repository}`);
  await target.kubectl(["create", "--filename", "-"], JSON.stringify(renderCheckPod(target, repository)));
  let status: PodStatus = {};
  try {
    await waitUntil("a pod that checks the cluster", CHECK_LIMIT_MS, async () => {
      status = JSON.parse(await target.kubectl(["get", "pod", CHECK_POD, "--output=json"])).status;
      return status.phase === "Succeeded" || status.phase === "Failed" || hasNoImage(status);
    });
    if (hasNoImage(status)) throw new InputError(imageRemedy(target.image));
    if (status.phase === "Failed") {
      throw new InputError(
        `pods can't reach ${repository} on this machine: name its address as they see it with --host-address (and look at firewalls)\n` +
          (await target.kubectl(["logs", CHECK_POD])).trimEnd(),
      );
    }
  } finally {
    await target.kubectl(["delete", "pod", CHECK_POD, "--wait=false"]);
  }
}

function demoNamespace(name: string): string {
  return `turbo-hipster-${name}`;
}

type Kubectl = (args: readonly string[], options?: RunOptions) => Promise<string>;

/** The kubectl of the PATH, or ours. */
async function findKubectl(context: string, log: Log): Promise<{ kubectl: Kubectl; command: string }> {
  let command = "kubectl";
  await runCommand(command, ["version", "--client"]).catch(async (error) => {
    if (!(error instanceof CommandError) || error.exitCode !== null) throw error;
    command = join(await buildParts(["kubectl"], log), "kubectl");
  });
  const kubectl: Kubectl = (args, options) => runCommand(command, ["--context", context, "--request-timeout=30s", ...args], options);
  return { kubectl, command };
}

/** The address from which this machine reaches the API server is the one that the cluster's machines most likely reach in turn. */
async function guessHostAddress(kubectl: Kubectl): Promise<string> {
  const server = new URL(await kubectl(["config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}"]));
  const socket = createSocket("udp4");
  try {
    // Sends nothing: only asks the kernel for the route.
    socket.connect(9, server.hostname);
    await once(socket, "connect");
    const { address } = socket.address();
    if (isIP(address) && !address.startsWith("127.")) return address;
  } catch {
    // No IPv4 address of it is known.
  } finally {
    socket.close();
  }
  throw new InputError(`how do pods reach this machine? Name its address with --host-address, for example
  kind:      --host-address $(docker network inspect kind --format '{{(index .IPAM.Config 0).Gateway}}')
  minikube:  --host-address $(minikube ssh grep host.minikube.internal /etc/hosts | cut -f1)`);
}

interface PodStatus {
  phase?: string;
  containerStatuses?: { state?: { waiting?: { reason?: string } } }[];
}

const NO_IMAGE = ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"];

function hasNoImage(status: PodStatus): boolean {
  return status.containerStatuses?.some(({ state }) => NO_IMAGE.includes(state?.waiting?.reason ?? "")) ?? false;
}

function imageRemedy(image: string): string {
  return `the cluster has no image ${image}. Build it and give it to the cluster, for example
  npm run image -- --tag ${image} --output /tmp/turbo-hipster.tar
  kind load image-archive /tmp/turbo-hipster.tar      (kind)
  minikube image load /tmp/turbo-hipster.tar          (minikube)
or push it to a registry and name it with --image`;
}

function renderCheckPod({ image }: DemoTarget, repository: string): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: CHECK_POD },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "check",
          image,
          command: ["timeout", "20", "git", "ls-remote", repository],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
    },
  };
}
