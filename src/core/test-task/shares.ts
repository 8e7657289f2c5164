/** What a task's builds that wait for a node are weighed against. */
export interface ShareFacts {
  /** Builds of the task that wait for a node. */
  waiting: number;
  /** Of all tasks together. */
  allWaiting: number;
  /** Builds under way, those that wait included. */
  active: number;
  maxPending: number;
  maxBuilds: number;
}

/**
 * Whether a task has to wait with its next build until one of its own has a node: when as many of its builds wait as there are places left. So one
 * task may fill half of them with builds that wait, two a third each, and there is always room for one more task's.
 */
export function isHeldBack({ waiting, allWaiting, active, maxPending, maxBuilds }: ShareFacts): boolean {
  return waiting > 0 && waiting >= Math.min(maxPending - allWaiting, maxBuilds - active);
}
