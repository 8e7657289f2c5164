import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { StoreError } from "../log-store.ts";
import { inParts } from "./parts.ts";
import type { S3Calls } from "./s3-calls.ts";
import { hasName } from "./s3-error.ts";

/** S3 takes parts from 5 MiB on, but for the last one, and 10,000 of them: 78 GiB. */
export const PART_BYTES = 8 * 1024 * 1024;
const MAX_PARTS = 10_000;

export interface ObjectHead {
  Bucket: string;
  Key: string;
  ContentType: string;
  ContentDisposition: string;
  CacheControl?: string;
}

/**
 * Stores a stream as one object and resolves to its bytes. What fits into one part is sent at once; else part by part, each tried again for
 * itself, so that an outage costs no more than the part that it hits, while the next one is read. Until the last word the object is as it
 * was; when the stream or the store fails, the parts are removed, or left to `removeUnfinished`.
 */
export async function uploadStream(
  calls: S3Calls,
  head: ObjectHead,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<number> {
  const parts = inParts(source, PART_BYTES);
  try {
    const first = (await parts.next()).value ?? Buffer.alloc(0);
    if (first.length < PART_BYTES) {
      await putObject(calls, head, first, signal);
      return first.length;
    }
    return await uploadParts(calls, head, first, parts, signal);
  } finally {
    await parts.return(undefined);
  }
}

export async function putObject(calls: S3Calls, head: ObjectHead, body: Uint8Array, signal: AbortSignal): Promise<void> {
  await calls.write(`store ${head.Key}`, signal, async (client, options) => {
    const { ETag } = await client.send(new PutObjectCommand({ ...head, Body: body }), options);
    requireProof(ETag, head.Key);
  });
}

async function uploadParts(
  calls: S3Calls,
  head: ObjectHead,
  first: Buffer,
  rest: AsyncGenerator<Buffer>,
  signal: AbortSignal,
): Promise<number> {
  const failed = new AbortController();
  const { Bucket, Key } = head;
  const UploadId = await calls.write(`begin to store ${Key}`, signal, async (client, options) => {
    const answer = await client.send(new CreateMultipartUploadCommand(head), options);
    requireProof(answer.UploadId, Key);
    return answer.UploadId;
  });
  const sent: { ETag: string | undefined; PartNumber: number }[] = [];
  const send = async (Body: Buffer, PartNumber: number) => {
    if (PartNumber > MAX_PARTS) throw new StoreError("TH_STORE_REFUSED", `${Key} has more than ${MAX_PARTS} parts of ${PART_BYTES} bytes`);
    const ETag = await calls.write(
      `store part ${PartNumber} of ${Key}`,
      AbortSignal.any([signal, failed.signal]),
      async (client, options) => {
        const answer = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }), options);
        requireProof(answer.ETag, Key);
        return answer.ETag;
      },
    );
    sent.push({ ETag, PartNumber });
  };
  let sending = send(first, 1);
  try {
    let bytes = first.length;
    for (let number = 2; ; number += 1) {
      // The next part is read while this one is sent; whichever fails first ends both.
      sending.catch(() => {});
      const next = await rest.next();
      await sending;
      if (next.done) break;
      bytes += next.value.length;
      sending = send(next.value, number);
    }
    await complete(calls, { Bucket, Key, UploadId, MultipartUpload: { Parts: sent } }, bytes, signal);
    return bytes;
  } catch (error) {
    failed.abort();
    await sending.catch(() => {});
    await calls.once((client, options) => client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }), options));
    throw error;
  }
}

type Completion = ConstructorParameters<typeof CompleteMultipartUploadCommand>[0];

async function complete(calls: S3Calls, completion: Completion, bytes: number, signal: AbortSignal): Promise<void> {
  let tries = 0;
  await calls.write(`complete ${completion.Key}`, signal, async (client, options) => {
    tries += 1;
    try {
      const { ETag } = await client.send(new CompleteMultipartUploadCommand(completion), options);
      requireProof(ETag, completion.Key ?? "");
    } catch (error) {
      // An earlier try whose answer was lost has done it.
      if (tries > 1 && hasName(error, "NoSuchUpload") && (await calls.size(completion.Key ?? "", signal)) === bytes) return;
      throw error;
    }
  });
}

/** What a server that has stored something says; a proxy's page with status 200 does not. */
function requireProof(proof: string | undefined, key: string): void {
  if (proof) return;
  throw new StoreError("TH_STORE_AWAY", `what answers at logs.endpoint is no S3 server: it took ${key} and said nothing of it`, {
    retryable: true,
  });
}
