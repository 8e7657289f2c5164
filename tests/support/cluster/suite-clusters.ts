import { downCluster, loadImage, upCluster } from "../../../deploy/local/local-cluster.ts";
import { ensureImage } from "../../../tools/image.ts";
import { type GivenClusterChoice, prepareGivenCluster } from "./given-cluster.ts";

/** Where the files of the suites that need a cluster find one. */
export interface SuiteClusters {
  /** For the processes of test files: what `useTestCluster` and the contract go by. */
  env: Record<string, string>;
  /** Test files that can't run there, each with the reason. */
  leftOut: Readonly<Record<string, string>>;
}

/** What is to be taken down, by what people call it: noted before it is started, so that what was half started goes as well. */
export type TakeDowns = Map<string, () => Promise<void>>;

/** Local clusters that have the image of this program; a file of a worker has that of its number. Throws InputError. */
export async function startOwnClusters(
  names: readonly string[],
  takeDowns: TakeDowns,
  log: (line: string) => void,
): Promise<SuiteClusters> {
  log("preparing the image of this program");
  const { archive, tag } = await ensureImage({ log });
  const env: Record<string, string> = { TH_TEST_CLUSTERS: names.join(","), TH_TEST_IMAGE: tag };
  for (const name of names) {
    takeDowns.set(`cluster ${name} (npm run cluster -- down --name ${name})`, () => downCluster({ name, log }));
    const { kubeconfig } = await upCluster({ name, log });
    await loadImage(name, archive);
    env.TH_TEST_KUBECONFIG ??= kubeconfig;
  }
  return { env, leftOut: {} };
}

/** The cluster of a context, for all files. Throws InputError. */
export async function useGivenCluster(
  choice: GivenClusterChoice,
  takeDowns: TakeDowns,
  log: (line: string) => void,
): Promise<SuiteClusters> {
  const { cluster, leftOut, leave } = await prepareGivenCluster(choice, log);
  takeDowns.set(`what the tests made in the cluster of context ${choice.context}`, leave);
  const env = { TH_TEST_GIVEN_CLUSTER: JSON.stringify(cluster), TH_TEST_KUBECONFIG: cluster.kubeconfig, TH_TEST_IMAGE: cluster.image };
  return { env, leftOut };
}
