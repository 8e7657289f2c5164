const FUNCTION_PREFIX = "build:";

/** A Gearman function that stands for a job of Zuul's, taken apart. */
export interface BuildFunction {
  /** As Gearman knows it. */
  name: string;
  jobName: string;
  nodeLabel?: string;
}

/** `build:<job>` or `build:<job>:<node label>` (Zuul's `zuul/launcher/gearman.py`) taken apart; undefined for any other function. */
export function parseFunctionName(name: string): BuildFunction | undefined {
  if (!name.startsWith(FUNCTION_PREFIX)) return undefined;
  const [jobName = "", ...rest] = name.slice(FUNCTION_PREFIX.length).split(":");
  if (jobName === "") return undefined;
  return rest.length === 0 ? { name, jobName } : { name, jobName, nodeLabel: rest.join(":") };
}

/** The same for any function: one that is no build's counts as a job of that name. */
export function readBuildFunction(name: string): BuildFunction {
  return parseFunctionName(name) ?? { name, jobName: name };
}

/** The Gearman function that Zuul asks for when a build of this job needs a node with this label, or any node. */
export function renderFunctionName(jobName: string, nodeLabel?: string): string {
  return nodeLabel === undefined ? `${FUNCTION_PREFIX}${jobName}` : `${FUNCTION_PREFIX}${jobName}:${nodeLabel}`;
}
