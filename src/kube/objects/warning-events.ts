import type { KubeEvent } from "../../core/kubernetes/objects.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { EVENTS } from "../client/resource.ts";
import { listAll } from "../watch/list-all.ts";

/** From the end of a reading to the next of the same namespace, and so many times what it took: a twentieth of an API server's time at most. */
const PAUSE_MS = 5000;
const PAUSE_FACTOR = 20;
/** A reading that an API server has let wait until its deadline tells nothing of the next. */
const MAX_PAUSE_MS = 60_000;

interface WarningEventsOptions {
  client: KubeClient;
  clock: Clock;
  /** Ends every reading. */
  signal: AbortSignal;
}

type ByObject = ReadonlyMap<string, readonly KubeEvent[]>;

interface Readings {
  running: Promise<ByObject> | undefined;
  /** Not begun yet: whoever asks now gets this one. */
  next: Promise<ByObject> | undefined;
  nextAtMs: number;
}

/**
 * The Events of type Warning about single objects. The API server has no index for them: it goes through all Events of the namespace for
 * each question, which takes it half a second where there are thousands, and a thousand builds that wait ask at once. So a namespace is read
 * for all of them together, and not again within 5 s, or longer where that takes long.
 */
export class WarningEvents {
  readonly #options: WarningEventsOptions;
  readonly #byNamespace = new Map<string, Readings>();

  constructor(options: WarningEventsOptions) {
    this.#options = options;
  }

  /** By uid, of claims by name: nothing else tells of those. As they are now or later, never older. Rejects with a KubeError, or with the signal's reason. */
  async of(namespace: string, about: string): Promise<readonly KubeEvent[]> {
    const readings = this.#byNamespace.get(namespace) ?? { running: undefined, next: undefined, nextAtMs: Number.NEGATIVE_INFINITY };
    this.#byNamespace.set(namespace, readings);
    readings.next ??= this.#readNext(namespace, readings);
    return (await readings.next).get(about) ?? [];
  }

  async #readNext(namespace: string, readings: Readings): Promise<ByObject> {
    const { clock, signal } = this.#options;
    try {
      // Its failure is for those who asked for it.
      await readings.running?.catch(() => {});
      const waitMs = readings.nextAtMs - clock.monotonicMs();
      if (waitMs > 0) await clock.sleep(waitMs, signal);
    } finally {
      readings.next = undefined;
    }
    const beganAtMs = clock.monotonicMs();
    readings.running = this.#read(namespace);
    try {
      return await readings.running;
    } finally {
      readings.running = undefined;
      const endedAtMs = clock.monotonicMs();
      readings.nextAtMs = endedAtMs + Math.min(MAX_PAUSE_MS, Math.max(PAUSE_MS, PAUSE_FACTOR * (endedAtMs - beganAtMs)));
    }
  }

  async #read(namespace: string): Promise<ByObject> {
    const { client, signal } = this.#options;
    const { items } = await listAll<KubeEvent>(client, EVENTS, namespace, { fieldSelector: "type=Warning", signal });
    return Map.groupBy(items, ({ involvedObject }) =>
      involvedObject?.kind === "PersistentVolumeClaim" ? (involvedObject.name ?? "") : (involvedObject?.uid ?? ""),
    );
  }
}
