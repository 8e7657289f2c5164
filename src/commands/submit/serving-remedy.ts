import { parseFunctionName, readBuildFunction } from "../../core/zuul/function-name.ts";

const MAX_NAMES = 5;

/** What to look at when no worker has registered `functionName`: the node label, where the job is served with others; else the job. */
export function renderServingRemedy(functionName: string, registered: Iterable<string>): string {
  const { jobName, nodeLabel } = readBuildFunction(functionName);
  const builds = [...registered].map(parseFunctionName).filter((name) => name !== undefined);
  if (builds.length === 0) return "The server knows no build at all: is the operator running?";
  const ofJob = builds.filter((build) => build.jobName === jobName);
  if (ofJob.length === 0) {
    return `The server knows ${enumerate(builds.map(({ name }) => name))}: does a TestTask name ${jobName} in spec.jobs?`;
  }
  const labels = ofJob.flatMap((build) => build.nodeLabel ?? []);
  const served = labels.length === 0 ? "without a node label only" : `with the node labels ${enumerate(labels)} only`;
  return `${jobName} is served ${served}: does its TestTask name ${nodeLabel ?? "none"} in spec.nodeLabels?`;
}

function enumerate(names: readonly string[]): string {
  return `${names.slice(0, MAX_NAMES).join(", ")}${names.length > MAX_NAMES ? ", ..." : ""}`;
}
