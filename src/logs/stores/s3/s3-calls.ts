import { HeadObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import type { Clock } from "../../../runtime/clock.ts";
import type { Logger } from "../../../runtime/logger.ts";
import { PATIENCE_MS, patiently } from "../patience.ts";
import { isMissing, s3Error } from "./s3-error.ts";

type Call<T> = (client: S3Client, options: { abortSignal: AbortSignal }) => Promise<T>;

/** How long the last try to remove what is left of an upload may take: `signal` may have aborted, and a stop waits for it. */
const FAREWELL_MS = 2000;

interface S3CallsOptions {
  client: S3Client;
  /** The store's, for messages. */
  name: string;
  bucket: string;
  clock: Clock;
  logger: Logger;
}

/** Requests to one bucket, with patience, and their errors in words for people. */
export class S3Calls {
  readonly #options: S3CallsOptions;

  constructor(options: S3CallsOptions) {
    this.#options = options;
  }

  write<T>(what: string, signal: AbortSignal, call: Call<T>): Promise<T> {
    return this.#patiently(what, PATIENCE_MS.write, signal, call);
  }

  read<T>(what: string, signal: AbortSignal, call: Call<T>): Promise<T> {
    return this.#patiently(what, PATIENCE_MS.read, signal, call);
  }

  /** Does what can be done and no more; never rejects. */
  async once(call: Call<unknown>): Promise<void> {
    const { client, clock, logger } = this.#options;
    const isOver = new AbortController();
    const cancel = clock.schedule(FAREWELL_MS, () => isOver.abort());
    try {
      await call(client, { abortSignal: isOver.signal });
    } catch (error) {
      logger.debug({ err: error }, "leaves an unfinished upload to be removed later");
    } finally {
      cancel();
    }
  }

  /** undefined where there is no such object. */
  size(key: string, signal: AbortSignal): Promise<number | undefined> {
    return this.read(`look at ${key}`, signal, async (client, options) => {
      try {
        const { ContentLength } = await client.send(new HeadObjectCommand({ Bucket: this.#options.bucket, Key: key }), options);
        return ContentLength ?? 0;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  #patiently<T>(what: string, patienceMs: number, signal: AbortSignal, call: Call<T>): Promise<T> {
    const { client, name, clock, logger } = this.#options;
    const told = async () => {
      try {
        return await call(client, { abortSignal: signal });
      } catch (error) {
        throw s3Error(error, name, what);
      }
    };
    return patiently(told, { what, patienceMs, clock, logger, signal });
  }
}
