import { compilePattern, type LinePattern } from "../checks/line-pattern.ts";
import { asList, asMapping } from "./mapping.ts";

interface Metajob {
  readonly pattern: LinePattern;
  readonly parameterFunction: string;
}

/** Each is tried on every job. */
const MAX_METAJOBS = 500;

/**
 * Which parameter-function a job has by a layout's `jobs:`, by its own name or by a regular expression, which begins with `^`. As Zuul has it
 * (`zuul/model.py`, `Layout.getJob`): an expression holds for jobs that are named after it, the last of several wins, and a job's own
 * definition over all. `blame` is told of what cannot be known.
 */
export function readParameterFunctions(
  jobs: unknown,
  blame: (place: string, message: string) => void,
): (jobName: string) => string | undefined {
  const metajobs: Metajob[] = [];
  const own = new Map<string, string | undefined>();
  const ofMetajobs = (name: string) => metajobs.findLast(({ pattern }) => pattern.exec(name))?.parameterFunction;
  for (const [index, entry] of asList(jobs).entries()) {
    const { name, "parameter-function": written } = asMapping(entry) ?? {};
    const parameterFunction = typeof written === "string" && written !== "" ? written : undefined;
    if (typeof name !== "string") blame(`jobs[${index}]`, "has no name");
    else if (!name.startsWith("^")) own.set(name, parameterFunction ?? (own.has(name) ? own.get(name) : ofMetajobs(name)));
    else if (parameterFunction !== undefined) {
      const pattern = compile(name);
      if (typeof pattern !== "string" && metajobs.length < MAX_METAJOBS) metajobs.push({ pattern, parameterFunction });
      else {
        const why = typeof pattern === "string" ? pattern : `more than ${MAX_METAJOBS} such expressions are not tried`;
        blame(`jobs[${index}] (${name})`, `nobody knows here which jobs have its parameter-function ${parameterFunction}: ${why}`);
      }
    }
  }
  return (name) => (own.has(name) ? own.get(name) : ofMetajobs(name));
}

/** As Python's `re.match`, from the beginning; a text says why it can't be. */
function compile(expression: string): LinePattern | string {
  try {
    return compilePattern(`^(?:${expression})`);
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : "it is none";
  }
}
