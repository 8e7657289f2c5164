import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { storedFileType } from "../../../core/logs/stored-file.ts";
import type { Clock } from "../../../runtime/clock.ts";
import { makeConcurrencyLimit } from "../../../runtime/concurrency-limit.ts";
import type { Logger } from "../../../runtime/logger.ts";
import { checkStorePath, type LogStore, type StoredFiles, type StoredPart, storedUrl } from "../log-store.ts";
import { readSource, withSource } from "../source.ts";
import { S3Calls } from "./s3-calls.ts";
import { makeS3Client, type S3ClientOptions } from "./s3-client.ts";
import { hasName, isMissing, statusOf } from "./s3-error.ts";
import { type ObjectHead, putObject, uploadStream } from "./s3-upload.ts";

/** Streams that are stored at once; each holds two or three parts in memory. */
const MAX_UPLOADS = 4;
/** S3 gives no more in one answer. */
const MAX_PAGE = 1000;
const MAX_PAGES = 50;

export interface S3StoreOptions extends S3ClientOptions {
  bucket: string;
  /** In front of every path, without slashes at its ends; "" for none. */
  prefix: string;
  publicUrl: string | undefined;
  clock: Clock;
  logger: Logger;
}

/** Objects in a bucket of any server that speaks S3. */
export class S3Store implements LogStore {
  readonly name: string;
  readonly #options: S3StoreOptions;
  readonly #client: S3Client;
  readonly #calls: S3Calls;
  readonly #uploads = makeConcurrencyLimit(MAX_UPLOADS);
  readonly #prefix: string;

  constructor(options: S3StoreOptions) {
    const { bucket, prefix, endpoint, clock, logger } = options;
    this.#options = options;
    this.#prefix = prefix === "" ? "" : `${prefix}/`;
    this.name = `s3://${[bucket, prefix].filter((part) => part !== "").join("/")}${endpoint === undefined ? "" : ` at ${endpoint}`}`;
    this.#client = makeS3Client(options);
    this.#calls = new S3Calls({ client: this.#client, name: this.name, bucket, clock, logger });
  }

  put(path: string, open: () => AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number> {
    const head = this.#head(path);
    return withSource(this.#uploads.run(() => uploadStream(this.#calls, head, readSource(open), signal)));
  }

  putText(path: string, text: string, signal: AbortSignal): Promise<void> {
    return putObject(this.#calls, this.#head(path), Buffer.from(text), signal);
  }

  /** Where a server does not know `If-None-Match`, two that come in the same moment may both believe that they were first. */
  async createText(path: string, text: string, signal: AbortSignal): Promise<boolean> {
    const head = this.#head(path);
    const there = await this.#readText(path, signal);
    if (there !== undefined) return there === text;
    await this.#calls.write(`create ${head.Key}`, signal, async (client, options) => {
      const command = { ...head, Body: Buffer.from(text) };
      try {
        await client.send(new PutObjectCommand({ ...command, IfNoneMatch: "*" }), options);
      } catch (error) {
        if (statusOf(error) === 412) return;
        if (!hasName(error, "NotImplemented") && statusOf(error) !== 501) throw error;
        await client.send(new PutObjectCommand(command), options);
      }
    });
    return (await this.#readText(path, signal)) === text;
  }

  read(path: string, { start, end }: { start: number; end?: number }, signal: AbortSignal): Promise<StoredPart | undefined> {
    const { Bucket, Key } = this.#head(path);
    if (end !== undefined && end <= start) return this.#nothingOf(Key, signal);
    const range = start === 0 && end === undefined ? {} : { Range: `bytes=${start}-${end === undefined ? "" : end - 1}` };
    return this.#calls.read(`read ${Key}`, signal, async (client, options) => {
      try {
        return readAnswer(await client.send(new GetObjectCommand({ Bucket, Key, ...range }), options));
      } catch (error) {
        if (isMissing(error)) return undefined;
        if (statusOf(error) === 416) return this.#nothingOf(Key, signal);
        throw error;
      }
    });
  }

  async stat(path: string, signal: AbortSignal): Promise<{ bytes: number } | undefined> {
    const bytes = await this.#calls.size(this.#head(path).Key, signal);
    return bytes === undefined ? undefined : { bytes };
  }

  async list(folder: string, { after, limit }: { after?: string; limit: number }, signal: AbortSignal): Promise<StoredFiles> {
    const StartAfter = after === undefined ? undefined : this.#prefix + after;
    for await (const page of this.#pages(folder, { StartAfter, MaxKeys: Math.min(limit, MAX_PAGE) }, signal)) {
      const files = (page.Contents ?? [])
        .map(({ Key = "", Size = 0 }) => ({ path: Key.slice(this.#prefix.length), bytes: Size }))
        // What consoles make to show a folder that is empty.
        .filter(({ path }) => !path.endsWith("/") && path !== "");
      if (files.length > 0 || !page.IsTruncated) return { files, isMore: page.IsTruncated ?? false };
    }
    return { files: [], isMore: false };
  }

  async folders(folder: string, limit: number, signal: AbortSignal): Promise<string[]> {
    const names: string[] = [];
    for await (const { CommonPrefixes = [] } of this.#pages(folder, { Delimiter: "/", MaxKeys: MAX_PAGE }, signal)) {
      const prefix = this.#folderPrefix(folder);
      names.push(...CommonPrefixes.map(({ Prefix = "" }) => Prefix.slice(prefix.length, -1)).filter((name) => name !== ""));
    }
    return names.slice(-limit);
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    const { Bucket, Key } = this.#head(path);
    // One by one: what deletes many at once wants a checksum, on whose kind servers do not agree.
    await this.#calls.write(`remove ${Key}`, signal, async (client, options) => {
      try {
        await client.send(new DeleteObjectCommand({ Bucket, Key }), options);
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    });
  }

  async removeUnfinished(before: Date, signal: AbortSignal): Promise<number> {
    const { bucket: Bucket } = this.#options;
    const { Uploads = [] } = await this.#calls.write("list unfinished uploads", signal, (client, options) =>
      client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: this.#prefix }), options),
    );
    let removed = 0;
    for (const { Key, UploadId, Initiated } of Uploads) {
      if (Initiated === undefined || Initiated >= before) continue;
      await this.#calls.write(`remove an unfinished upload of ${Key}`, signal, async (client, options) => {
        try {
          await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }), options);
        } catch (error) {
          if (!hasName(error, "NoSuchUpload")) throw error;
        }
      });
      removed += 1;
    }
    return removed;
  }

  url(path: string): string | undefined {
    return storedUrl(this.#options.publicUrl, path);
  }

  close(): void {
    this.#client.destroy();
  }

  #head(path: string): ObjectHead {
    checkStorePath(path);
    const { contentType, disposition, cacheControl } = storedFileType(path);
    return {
      ...{ Bucket: this.#options.bucket, Key: this.#prefix + path, ContentType: contentType, ContentDisposition: disposition },
      ...(cacheControl === undefined ? {} : { CacheControl: cacheControl }),
    };
  }

  #folderPrefix(folder: string): string {
    if (folder === "") return this.#prefix;
    checkStorePath(folder);
    return `${this.#prefix}${folder}/`;
  }

  async *#pages(folder: string, more: object, signal: AbortSignal): AsyncGenerator<ListObjectsV2CommandOutput> {
    const wanted = { Bucket: this.#options.bucket, Prefix: this.#folderPrefix(folder), ...more };
    let ContinuationToken: string | undefined;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const answer: ListObjectsV2CommandOutput = await this.#calls.read(
        `list ${wanted.Prefix || "the bucket"}`,
        signal,
        (client, options) => client.send(new ListObjectsV2Command({ ...wanted, ContinuationToken }), options),
      );
      yield answer;
      ContinuationToken = answer.NextContinuationToken;
      if (!answer.IsTruncated || ContinuationToken === undefined) return;
    }
  }

  async #nothingOf(key: string, signal: AbortSignal): Promise<StoredPart | undefined> {
    const bytes = await this.#calls.size(key, signal);
    return bytes === undefined ? undefined : { bytes, body: Readable.from([]) };
  }

  async #readText(path: string, signal: AbortSignal): Promise<string | undefined> {
    const part = await this.read(path, { start: 0 }, signal);
    if (part === undefined) return undefined;
    const chunks: Uint8Array[] = [];
    for await (const chunk of part.body) chunks.push(chunk as Uint8Array);
    return Buffer.concat(chunks).toString();
  }
}

function readAnswer({ Body, ContentLength = 0, ContentRange }: GetObjectCommandOutput): StoredPart {
  const whole = /\/(\d+)$/.exec(ContentRange ?? "")?.[1];
  // On Node it is one.
  return { bytes: whole === undefined ? ContentLength : Number(whole), body: Body as Readable };
}
