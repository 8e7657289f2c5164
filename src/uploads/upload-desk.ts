import { ArchiveError } from "../core/artifacts/archive-frames.ts";
import { ARTIFACT_LIMITS, type ArtifactLimits } from "../core/artifacts/artifact-limits.ts";
import type { ArtifactsRecord } from "../core/artifacts/artifacts-record.ts";
import { coerceError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { type ArtifactSink, receiveArtifacts } from "./receive-artifacts.ts";

/** A build as the desk needs it. */
export interface UploadingBuild {
  number: string;
  namespace: string;
  /** Of several Jobs of its number each has artifacts of its own. */
  jobName: string;
  /** Uids of its pods. */
  pods: readonly string[];
  /** Which of its artifacts are junit XML. */
  junit: readonly string[];
}

export interface UploadDeskPorts {
  /** The pod that a token of a collector is bound to; undefined for any other token. Rejects when that can't be told now. */
  podOf(token: string, signal: AbortSignal): Promise<TokenPod | undefined>;
  /** One for each Job of this number that is known here. */
  findBuilds(number: string): readonly UploadingBuild[];
  /** Where its files go. */
  sinkOf(build: UploadingBuild): ArtifactSink;
  /**
   * All is stored, and this is to be kept: resolves when it is. May be told again, with another record, where the collector did not hear of it:
   * the last one counts.
   */
  collected(build: UploadingBuild, record: ArtifactsRecord, signal: AbortSignal): Promise<void>;
}

type TokenPod = { namespace: string; uid: string };
export type UploadAnswer = { status: number; body: string };
export type Admission = { build: UploadingBuild } | { refusal: UploadAnswer };

/** At once; the others come again. Each takes the memory of some chunks, and of one junit file. */
const MAX_UPLOADS = 8;
const TOO_MANY: UploadAnswer = { status: 503, body: "too many uploads at once, come again\n" };

/**
 * Takes the artifacts of builds from their collectors, and from nobody else. 403 is a collector's last word, after any other status it comes
 * again.
 */
export class UploadDesk {
  readonly #ports: UploadDeskPorts;
  readonly #logger: Logger;
  readonly #limits: ArtifactLimits;
  /** By namespace and Job: one that comes again takes the place of what it has left behind. */
  readonly #running = new Map<string, AbortController>();

  constructor(options: UploadDeskPorts & { logger: Logger; limits?: ArtifactLimits }) {
    this.#ports = options;
    this.#logger = options.logger;
    this.#limits = options.limits ?? ARTIFACT_LIMITS;
  }

  /** Before a byte of the body is taken. */
  async admit(number: string, authorization: string | undefined, signal: AbortSignal): Promise<Admission> {
    const token = /^Bearer ([A-Za-z0-9._~+/=-]{1,16384})$/.exec(authorization ?? "")?.[1];
    if (token === undefined) return refuse(401, "the collector's token is missing");
    const builds = this.#ports.findBuilds(number);
    if (builds.length === 0) return refuse(404, "no such build is known here, come again");
    if (builds.every((build) => this.#isFull(build))) return { refusal: TOO_MANY };
    let pod: TokenPod | undefined;
    try {
      pod = await this.#ports.podOf(token, signal);
    } catch (thrown) {
      this.#logger.warn({ err: coerceError(thrown), build: number }, "could not ask the API server whose the token of an upload is");
      return refuse(503, "the API server does not say whose the token is, come again");
    }
    if (!pod) return refuse(401, "the API server does not know the token, or it is for something else");
    const { namespace, uid } = pod;
    const here = builds.filter((each) => each.namespace === namespace);
    const build = here.find(({ pods }) => pods.includes(uid));
    if (build) return { build };
    // Its Job may be seen before its pod: a watch of pods that lags, or has been away, must not cost a test its artifacts.
    if (here.some(({ pods }) => pods.length === 0)) return refuse(404, "no pod of the build is known here yet, come again");
    return refuse(403, "the token is another pod's");
  }

  /** Answers 200 when all is stored. */
  async receive(build: UploadingBuild, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<UploadAnswer> {
    const { number, junit } = build;
    const key = keyOf(build);
    // Many may have been admitted at once: while the API server was asked, none of them ran.
    if (this.#isFull(build)) return TOO_MANY;
    this.#running.get(key)?.abort(new Error("the collector has come again"));
    const own = new AbortController();
    this.#running.set(key, own);
    const either = AbortSignal.any([signal, own.signal]);
    try {
      const record = await receiveArtifacts(body, { sink: this.#ports.sinkOf(build), junit, limits: this.#limits, signal: either });
      either.throwIfAborted();
      await this.#ports.collected(build, record, either);
      this.#logger.info(
        { build: number, files: record.files.length, bytes: record.bytes, leftOut: record.leftOutCount },
        "has stored artifacts",
      );
      return { status: 200, body: `stored ${record.files.length} files\n` };
    } catch (thrown) {
      const error = coerceError(thrown);
      this.#logger.warn({ err: error, build: number }, "could not store artifacts");
      if (error instanceof ArchiveError) return { status: 400, body: `${error.message}\n` };
      return { status: 503, body: "the artifacts could not be stored, come again\n" };
    } finally {
      if (this.#running.get(key) === own) this.#running.delete(key);
    }
  }

  #isFull(build: UploadingBuild): boolean {
    return this.#running.size >= MAX_UPLOADS && !this.#running.has(keyOf(build));
  }
}

function keyOf({ namespace, jobName }: UploadingBuild): string {
  return `${namespace}/${jobName}`;
}

function refuse(status: number, why: string): { refusal: UploadAnswer } {
  return { refusal: { status, body: `${why}\n` } };
}
