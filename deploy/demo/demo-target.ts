import { ensureImage } from "../../tools/image.ts";
import { runCommand } from "../../tools/machine/run-command.ts";
import { downCluster, loadImage, upCluster } from "../local/local-cluster.ts";

export type Log = (line: string) => void;

/** The cluster that a demo uses, ready for TestTasks. */
export interface DemoTarget {
  namespace: string;
  /** Has this program, sh and git; the cluster has it or can pull it. */
  image: string;
  /** Choose it for the operator. */
  operatorArguments: string[];
  /** Address of this machine to listen on for pods, and how they write it. */
  listen: string;
  host: string;
  /** Beginning of a kubectl command line, for people. */
  kubectlForPeople: string;
  /** kubectl in the demo's namespace. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
}

/** Brings up the local cluster of that name with this checkout's image. */
export async function prepareLocalTarget(name: string, log: Log): Promise<DemoTarget> {
  const cluster = await upCluster({ name, log });
  log(`cluster ${name} is up: a real Kubernetes of one node, on this machine alone`);
  const { archive, tag } = await ensureImage({ log });
  log(`loading the image ${tag}: the builds' pods run it`);
  await loadImage(name, archive);
  return {
    namespace: "default",
    image: tag,
    operatorArguments: ["--kubeconfig", cluster.kubeconfig],
    listen: cluster.hostAddress,
    host: cluster.hostAddress,
    kubectlForPeople: `npm run -s cluster -- kubectl --name ${name}`,
    kubectl: (args, input) =>
      runCommand(cluster.kubectl, ["--kubeconfig", cluster.kubeconfig, ...args], input === undefined ? {} : { input }),
  };
}

/** Takes the local cluster away with all that is in it. */
export async function removeLocalTarget(name: string, log: Log): Promise<void> {
  await downCluster({ name, log });
}
