import type { KubeClient } from "../client/kube-client.ts";
import { isNotFound, type KubeError } from "../client/kube-error.ts";

/** A tail is a few lines, and one line may be as long as a log: no more than this is read of it. */
const MAX_TAIL_BYTES = 64 * 1024;

interface WhichLog {
  /** The log of the run before the newest. */
  readonly previous: boolean;
  readonly signal: AbortSignal;
}

interface PodLogPlace {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** The log of one container, as the API server gives it: with timestamps, for whoever follows it. */
export class PodLogs {
  readonly #client: KubeClient;
  readonly #place: PodLogPlace;

  constructor(client: KubeClient, place: PodLogPlace) {
    this.#client = client;
    this.#place = place;
  }

  open({ sinceTime, ...which }: WhichLog & { sinceTime: string | undefined }): Promise<AsyncIterable<Buffer>> {
    return this.#read({ follow: true, ...(sinceTime === undefined ? {} : { sinceTime }) }, which);
  }

  /** What the kubelet's limit of bytes cuts off is not sent. */
  async head(limitBytes: number, which: WhichLog): Promise<Buffer> {
    return Buffer.concat(await Array.fromAsync(await this.#read({ limitBytes }, which)));
  }

  async tail(tailLines: number, which: WhichLog): Promise<Buffer> {
    return Buffer.concat(await Array.fromAsync(await this.#read({ tailLines, limitBytes: MAX_TAIL_BYTES }, which)));
  }

  /** The API server's time. */
  now(): Date {
    return this.#client.now();
  }

  /**
   * A kubelet that has just started has not heard of its pods yet, and says 404 as well, of `pods/log`: only the API server's own 404 is about
   * the pod.
   */
  isGone(error: unknown): boolean {
    return isNotFound(error) && (error as KubeError).kind === "pods";
  }

  #read(
    options: { follow?: boolean; sinceTime?: string; tailLines?: number; limitBytes?: number },
    { previous, signal }: WhichLog,
  ): Promise<AsyncIterable<Buffer>> {
    const { namespace, pod, container } = this.#place;
    return this.#client.podLog(namespace, pod, { container, timestamps: true, ...(previous ? { previous } : {}), ...options, signal });
  }
}
