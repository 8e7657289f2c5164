import type { Answer } from "../server.ts";

export interface ReadinessFacts {
  /** The TestTasks, Jobs and pods have been listed once. */
  isReady: boolean;
  isHolder: boolean;
  servers: readonly { server: string; isRegistered: boolean }[];
  /** A line for each namespace that is not served yet. */
  unserved: readonly string[];
}

/**
 * What `/readyz` answers. Once ready, always ready: an API server or a Gearman server that is down is no reason to take this replica out.
 */
export function renderReadiness({ isReady, isHolder, servers, unserved }: ReadinessFacts): Answer {
  if (!isReady) return { status: 503, body: `waits for the first list of TestTasks, Jobs and pods\n${unserved.join("\n")}\n` };
  const role = isHolder ? "takes builds" : "stands by";
  const links = servers.map(({ server, isRegistered }) => `${server} ${isRegistered ? "registered" : "not connected"}`);
  return { status: 200, body: `ok, ${role}\n${[...links, ...unserved].join("\n")}\n` };
}
