import type { Chance } from "../../core/job/claim-clock.ts";
import { coerceError, InputError } from "../../runtime/errors.ts";
import type { Service } from "../../runtime/service.ts";
import { GearmanError } from "../wire/gearman-error.ts";
import { parseServerAddress } from "../wire/server-address.ts";
import type { ServerKind } from "./registrar.ts";
import type { Registrations } from "./registrations.ts";
import { ServerLink, type ServerLinkOptions } from "./server-link.ts";

export interface GearmanLinkOptions extends Omit<ServerLinkOptions, "onChange"> {
  /** "host:port", at least one, each once. */
  readonly servers: readonly string[];
}

export interface ServerState {
  /** As configured. */
  readonly server: string;
  /** It has answered on the registering connection. */
  readonly isConnected: boolean;
  /** It has read every function of the present registrations. */
  readonly isRegistered: boolean;
  /** "unknown" until it has been probed on the present connection. */
  readonly kind: ServerKind;
  /** The last thing that went wrong since it was registered. */
  readonly lastError?: string;
}

/**
 * Everything towards all configured Gearman servers. Never gives up: a server that is down is tried about once a second and changes nothing
 * for the others.
 */
export interface GearmanLink extends Service {
  /**
   * What to register and to take builds of, from now on; only what has changed is sent. May be called before `start` and at any time. A
   * build of a lane that is gone or has lost its function goes on; one that the server has handed out already may still come.
   * Throws TH_GEARMAN_ARGUMENT for a function name that Gearman's text protocol cannot show (empty, with white space or control characters).
   */
  setRegistrations(registrations: Registrations): void;
  /** For draining, for good: stays connected and registered, keeps answering `stop:`, asks for no more builds. */
  stopGrabbing(): void;
  readonly servers: readonly ServerState[];
  /** Whether a build of this function could be handed out to us by this server ("host:port") now; "open" for one that is configured no more. */
  chance(server: string, functionName: string): Chance;
  /** A build that is under way waits for its request from now on: lanes without a slot ask for that, too. */
  reclaim(): void;
  /** Whether this server hands a request out again whose link was lost; geard fails it, and Zuul asks anew. */
  handsOutAgain(server: string): boolean;
  /** Called when something in `servers` has changed. Returns what unsubscribes. */
  onChange(listener: () => void): () => void;
}

/** Throws InputError for a server address that is none. */
export function makeGearmanLink(options: GearmanLinkOptions): GearmanLink {
  const servers = [...new Set(options.servers)];
  if (servers.length === 0) throw new InputError("no Gearman server is configured: name at least one as host:port");
  for (const server of servers) parseServerAddress(server);
  const listeners = new Set<() => void>();
  const notify = () => {
    for (const listener of listeners) {
      try {
        listener();
      } catch (error) {
        options.logger.error({ error: coerceError(error).stack }, "failed to handle a change of the gearman link");
      }
    }
  };
  const links = servers.map((server) => new ServerLink(server, { ...options, onChange: notify }));
  let isStopped = false;
  let isReclaiming = false;
  return {
    async start() {
      if (!isStopped) for (const link of links) link.start();
    },
    async stop() {
      isStopped = true;
      await Promise.all(links.map((link) => link.stop()));
    },
    setRegistrations({ functions, lanes }) {
      const all = new Set([...functions, ...lanes.flatMap((lane) => lane.functions)]);
      for (const name of all) checkFunctionName(name);
      for (const link of links) link.setRegistrations(all, lanes);
    },
    stopGrabbing() {
      for (const link of links) link.stopGrabbing();
    },
    get servers() {
      return links.map(describeState);
    },
    chance: (address, functionName) => links.find(({ server }) => server === address)?.chance(functionName) ?? "open",
    reclaim() {
      // Once for all the builds of a link that is lost.
      if (isReclaiming) return;
      isReclaiming = true;
      queueMicrotask(() => {
        isReclaiming = false;
        for (const link of links) link.reclaim();
      });
    },
    handsOutAgain: (address) => links.find(({ server }) => server === address)?.kind !== "geard",
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function describeState({ server, isConnected, isRegistered, kind, lastError }: ServerLink): ServerState {
  return { server, isConnected, isRegistered, kind, ...(lastError === undefined ? {} : { lastError }) };
}

function checkFunctionName(name: string): void {
  if (name !== "" && !/[\s\p{Cc}]/u.test(name)) return;
  throw new GearmanError(
    "TH_GEARMAN_ARGUMENT",
    `${JSON.stringify(name)} cannot be the name of a Gearman function: no spaces, no control characters`,
  );
}
