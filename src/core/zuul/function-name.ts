const FUNCTION_PREFIX = "build:";

/** `build:<job>` or `build:<job>:<node label>` (Zuul's `zuul/launcher/gearman.py`) taken apart; undefined for any other function. */
export function parseFunctionName(functionName: string): { jobName: string; nodeLabel?: string } | undefined {
  if (!functionName.startsWith(FUNCTION_PREFIX)) return undefined;
  const [jobName = "", ...rest] = functionName.slice(FUNCTION_PREFIX.length).split(":");
  if (jobName === "") return undefined;
  return rest.length === 0 ? { jobName } : { jobName, nodeLabel: rest.join(":") };
}

/** The Gearman function that Zuul asks for when a build of this job needs a node with this label, or any node. */
export function renderFunctionName(jobName: string, nodeLabel?: string): string {
  return nodeLabel === undefined ? `${FUNCTION_PREFIX}${jobName}` : `${FUNCTION_PREFIX}${jobName}:${nodeLabel}`;
}
