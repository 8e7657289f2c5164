import { makeProblem, type Problem } from "./problem.ts";
import { namedFunctions } from "./served-functions.ts";
import { type TestTask, testTaskKey } from "./test-task.ts";

/** A TestTask and where it is written, in words. */
interface PlacedTask {
  task: TestTask;
  place: string;
}

/**
 * What two TestTasks that are applied together can't both have: a name, of which the later one replaces the earlier, and a function, of
 * which only the older task gets the builds. Warnings of each task, in order. Those of two namespaces may be of two installations.
 */
export function sharedNameWarnings(tasks: readonly PlacedTask[]): Problem[][] {
  const byName = new Map<string, string>();
  const byFunction = new Map<string, string>();
  return tasks.map(({ task, place }) => {
    const namesake = claim(byName, testTaskKey(task), place);
    if (namesake !== undefined) {
      return [makeProblem(["metadata", "name"], `is that of the TestTask at ${namesake} too, which this one replaces; rename one`)];
    }
    const warnings = new Map<string, Problem>();
    for (const { name, served } of namedFunctions(task)) {
      const holder = claim(byFunction, `${task.metadata.namespace} ${name}`, place);
      if (holder === undefined || warnings.has(served.job)) continue;
      const message = `${name} is served by the TestTask at ${holder} too: the older one of the two gets its builds`;
      warnings.set(served.job, makeProblem(["spec", "jobs", task.spec.jobs.indexOf(served.job)], message));
    }
    return [...warnings.values()];
  });
}

/** Who has claimed `key` before `place`; else it is `place`'s now. */
function claim(claims: Map<string, string>, key: string, place: string): string | undefined {
  const before = claims.get(key);
  if (before === undefined) claims.set(key, place);
  return before;
}
