import { join } from "node:path";
import { type GoProgram, goModuleDirectory, goProgram } from "../go-program.ts";

const MODULE = "sigs.k8s.io/karpenter";
const KARPENTER: GoProgram = {
  ...{ title: "Karpenter, a cluster autoscaler", name: "karpenter" },
  sources: join(import.meta.dirname, "module"),
  package: `${MODULE}/kwok`,
};

/**
 * Karpenter itself with the provider whose machines are nodes for kwok to play, and the definitions of its resources. Built once, in three
 * to five minutes. Throws as `goProgram` does.
 */
export async function karpenterProgram(): Promise<{ program: string; definitions: string[] }> {
  const directory = await goModuleDirectory(KARPENTER, MODULE);
  return { program: await goProgram(KARPENTER), definitions: [join(directory, "kwok/charts/crds"), join(directory, "kwok/apis/crds")] };
}
