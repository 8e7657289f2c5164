import { coerceError, InputError } from "../../src/runtime/errors.ts";
import { askVersion, findKubectl, guessHostAddress, type Kubectl, runCheckPod } from "../context-cluster.ts";
import type { DemoTarget, Log } from "./demo-target.ts";

interface ContextChoice {
  context: string;
  image: string;
  /** Address of this machine as pods reach it; found by itself where that or its nodes are not this machine. */
  hostAddress: string | undefined;
  /** Called before the namespace is made. */
  onNamespace(): void;
}

const OWNER_LABEL = "app.kubernetes.io/managed-by=turbo-hipster-demo";
const DEFINITION = "testtasks.turbo-hipster.io";
const CHECK_POD = "demo-check";

/** Makes a namespace of the demo's own in a cluster that somebody else runs. Throws InputError where it can't be used. */
export async function prepareContextTarget(name: string, choice: ContextChoice, log: Log): Promise<DemoTarget> {
  const { context, image } = choice;
  const namespace = demoNamespace(name);
  const { kubectl, command } = await findKubectl(context, log);
  log(`context ${context} is a Kubernetes ${await askVersion(kubectl, context)}`);
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
  const { namespace, image } = target;
  log(`checking from a pod that the cluster has ${image} and reaches ${repository}`);
  const command = ["timeout", "20", "git", "ls-remote", repository];
  const kubectl: Kubectl = (args, options) => target.kubectl(args, options?.input);
  const failure = await runCheckPod(kubectl, { name: CHECK_POD, namespace, image, command });
  if (failure === undefined) return;
  throw new InputError(
    `pods can't reach ${repository} on this machine: name its address as they see it with --host-address (and look at firewalls)\n${failure}`,
  );
}

function demoNamespace(name: string): string {
  return `turbo-hipster-${name}`;
}
