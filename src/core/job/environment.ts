import type { EnvVar } from "../kubernetes/objects.ts";

/**
 * The variables of layers, later ones over earlier ones: each name once, in the place where it first stood, so that an override breaks nothing
 * of what refers to it. What is referred to comes first, whichever layer it is of: Kubernetes replaces `$(NAME)` by what stood before alone.
 * https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
 */
export function layEnvironment(layers: readonly (readonly EnvVar[])[]): EnvVar[] {
  const variables = new Map(layers.flat().map((variable) => [variable.name, variable]));
  const placed = new Set<EnvVar>();
  const waiting = [...variables.values()].reverse();
  const begun = new Set<EnvVar>();
  // A stack of its own: two hundred variables may each refer to the next, and a circle ends where it began.
  for (let variable = waiting.at(-1); variable !== undefined; variable = waiting.at(-1)) {
    const needed = begun.has(variable) ? [] : references(variable).flatMap((name) => variables.get(name) ?? []);
    begun.add(variable);
    const missing = needed.filter((each) => !begun.has(each)).reverse();
    if (missing.length > 0) waiting.push(...missing);
    else placed.add(waiting.pop() as EnvVar);
  }
  return [...placed];
}

/** The names in `$(NAME)` of its value; `$$` is a dollar and begins none. */
function references({ value = "" }: EnvVar): string[] {
  return [...value.matchAll(/\$\$|\$\(([^()$]+)\)/g)].flatMap(([, name]) => name ?? []);
}
