import type { ArtifactsRecord } from "../../core/artifacts/artifacts-record.ts";
import { LeftOutError } from "../../core/artifacts/left-out-error.ts";
import { readJobRecord } from "../../core/job/record.ts";
import { COLLECTED_ANNOTATION } from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { ARTIFACTS_FOLDER } from "../../core/logs/build-directory.ts";
import { ARTIFACTS_FILE } from "../../core/logs/log-files.ts";
import { maskArtifacts } from "../../core/logs/masked-build.ts";
import type { Masker, Masking } from "../../core/logs/masking.ts";
import { storedFileType } from "../../core/logs/stored-file.ts";
import type { LogStore } from "../stores/log-store.ts";
import type { StoredBuilds } from "../stores/stored-builds.ts";
import { endedBuildOf } from "./ended-build.ts";
import type { RecordingCluster } from "./recording-cluster.ts";
import { type Masked, readMasker, UnmaskableError, withhold } from "./secret-masker.ts";

export interface ArtifactStoreOptions {
  cluster: Pick<RecordingCluster, "cachedJob" | "getJob" | "readWholePods" | "annotateJob" | "secretValues" | "now">;
  store: LogStore;
  builds: StoredBuilds;
}

/** Whose artifacts they are. */
interface CollectedBuild {
  number: string;
  namespace: string;
  jobName: string;
}

interface ArtifactPlace extends Masked {
  directory: string;
  job: Job;
}

/** Where the artifacts of builds go, whichever replica takes them: into the build's directory, masked where they are text. */
export class ArtifactStore {
  readonly #options: ArtifactStoreOptions;

  constructor(options: ArtifactStoreOptions) {
    this.#options = options;
  }

  /** For one upload. */
  sinkOf(build: CollectedBuild): { put(path: string, open: () => AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number> } {
    const { store } = this.#options;
    let place: Promise<ArtifactPlace> | undefined;
    return {
      put: async (path, open, signal) => {
        place ??= this.#placeOf(build, signal);
        const { directory, masker, withheld } = await place;
        const target = `${directory}/${ARTIFACTS_FOLDER}/${path}`;
        if (withheld !== undefined) {
          for await (const _ of open()) signal.throwIfAborted();
          throw new LeftOutError(withheld);
        }
        return store.put(
          target,
          once(() => masked(open(), masker, isText(target))),
          signal,
        );
      },
    };
  }

  /** All is stored: keeps the record of it and says so on the Job, for whoever waits for that. */
  async collected(build: CollectedBuild, record: ArtifactsRecord, signal: AbortSignal): Promise<void> {
    const { cluster, store } = this.#options;
    const { directory, masker, job } = await this.#placeOf(build, signal);
    await store.putText(`${directory}/${ARTIFACTS_FILE}`, JSON.stringify(maskArtifacts(record, masker)), signal);
    const { namespace = "", name, uid } = job.metadata;
    await cluster.annotateJob(namespace, name, { [COLLECTED_ANNOTATION]: cluster.now().toISOString() }, { uid });
  }

  async #placeOf({ number, namespace, jobName }: CollectedBuild, signal: AbortSignal): Promise<ArtifactPlace> {
    const { cluster, builds } = this.#options;
    const job = cluster.cachedJob(namespace, jobName);
    const record = job && readJobRecord(job);
    if (!job || !record) throw new Error(`the Job of build ${number} is gone`);
    const [{ directory }, masked] = await Promise.all([
      builds.begin(endedBuildOf(job, record), signal),
      readMasked(cluster, { namespace, jobName, uid: job.metadata.uid }),
    ]);
    return { directory, job, ...masked };
  }
}

async function readMasked(...args: Parameters<typeof readMasker>): Promise<Masked> {
  try {
    return { masker: await readMasker(...args), withheld: undefined };
  } catch (thrown) {
    if (!(thrown instanceof UnmaskableError)) throw thrown;
    return withhold(thrown);
  }
}

function isText(path: string): boolean {
  const { contentType } = storedFileType(path);
  return contentType.startsWith("text/") || contentType === "application/json";
}

/** As git does it. */
const LOOKED_AT_BYTES = 8000;

/**
 * A name tells little: an `env` without an extension, a report in HTML or a `.properties` hold secrets as a log does. What has a NUL at its
 * beginning is none of those, and would be broken.
 */
async function* masked(source: AsyncIterable<Uint8Array>, masker: Masker, isNamedText: boolean): AsyncGenerator<Uint8Array> {
  let masking: Masking | undefined;
  let isFirst = true;
  // A piece is done with when the next one is asked for, and what is masked may be part of it.
  for await (const chunk of source) {
    if (isFirst && (isNamedText || !chunk.subarray(0, LOOKED_AT_BYTES).includes(0))) masking = masker.begin();
    isFirst = false;
    if (masking) yield* masking.write(chunk);
    else yield chunk;
  }
  if (masking) yield* masking.end();
}

/** An upload can't be read again: its sender sends all of it once more. */
function once<T>(open: () => AsyncIterable<T>): () => AsyncIterable<T> {
  let isOpened = false;
  return () => {
    if (isOpened) throw new Error("the store failed half-way, and the collector is to come again");
    isOpened = true;
    return open();
  };
}
