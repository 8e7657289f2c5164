import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FilesStore } from "../../../../src/logs/stores/files/files-store.ts";
import type { LogStore } from "../../../../src/logs/stores/log-store.ts";
import { S3Store, type S3StoreOptions } from "../../../../src/logs/stores/s3/s3-store.ts";
import type { Clock } from "../../../../src/runtime/clock.ts";
import type { Logger } from "../../../../src/runtime/logger.ts";
import { BUCKET, S3_CREDENTIALS, type S3Server, startS3Server } from "../../../support/s3/s3-server.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";

export const STORE_KINDS = ["files", "s3"] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

/** A server, or a directory, that stores are made on, each with a place of its own. */
export interface StoreStage extends AsyncDisposable {
  readonly kind: StoreKind;
  make(options?: { clock?: Clock; logger?: Logger; place?: string; publicUrl?: string }): Promise<LogStore>;
}

export async function setStoreStage(kind: StoreKind): Promise<StoreStage> {
  const root = await mkdtemp(join(tmpdir(), "th-store-"));
  const server = kind === "s3" ? await startS3Server() : undefined;
  const stores = new Set<LogStore>();
  let count = 0;
  const nextPlace = () => {
    count += 1;
    return `place-${count}`;
  };
  return {
    kind,
    async make({ clock = makeSkippingClock(), logger = silentLogger, place = nextPlace(), publicUrl } = {}) {
      const directory = join(root, place);
      await mkdir(directory, { recursive: true });
      const store = server
        ? await makeS3Store(server, { prefix: place, clock, logger, publicUrl })
        : new FilesStore({ directory, publicUrl, clock, logger });
      stores.add(store);
      return store;
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) store.close();
      await server?.[Symbol.asyncDispose]();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** On a test's server, with what differs. */
export async function makeS3Store(server: S3Server, options: Partial<S3StoreOptions> = {}): Promise<S3Store> {
  const credentialsDirectory = await writeCredentials(server, S3_CREDENTIALS);
  return new S3Store({
    ...{ endpoint: server.endpoint, region: "us-east-1", pathStyle: true, caFile: server.caFile, credentialsDirectory },
    ...{ bucket: BUCKET, prefix: "", publicUrl: undefined, clock: makeSkippingClock(), logger: silentLogger },
    ...options,
  });
}

/** As a Secret that is mounted; removed with the server. */
export async function writeCredentials(server: S3Server, credentials: Record<string, string>): Promise<string> {
  const directory = await mkdtemp(join(server.directory, "../../credentials-"));
  for (const [name, value] of Object.entries(credentials)) await writeFile(join(directory, name), `${value}\n`);
  return directory;
}

export const never = new AbortController().signal;

export async function* chunks(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part as string);
}

/** The whole file, or a part of it; undefined where there is none. */
export async function readStored(
  store: LogStore,
  path: string,
  range = { start: 0 } as { start: number; end?: number },
): Promise<string | undefined> {
  const part = await store.read(path, range, never);
  if (part === undefined) return undefined;
  const read: Buffer[] = [];
  for await (const chunk of part.body) read.push(chunk);
  return Buffer.concat(read).toString();
}

export async function listed(store: LogStore, folder = ""): Promise<string[]> {
  return (await store.list(folder, { limit: 1000 }, never)).files.map(({ path }) => path);
}
