import { type ClientRequest, request } from "node:http";
import { request as requestTls } from "node:https";
import { TurboHipsterError } from "../../runtime/errors.ts";

const MAX_ANSWER_BYTES = 64 * 1024;
/** The operator's store may try again for some minutes, and takes nothing meanwhile. */
const IDLE_MS = 5 * 60_000;

/** What the operator said, or that it said nothing; `retryable` unless it will say the same again. */
export class UploadError extends TurboHipsterError {
  constructor(message: string, options: { retryable: boolean; cause?: unknown }) {
    super("TH_UPLOAD", message, options);
  }
}

/**
 * Sends a stream as the body of a PUT, once the operator has said that it takes it, and resolves to its answer when all is stored. A piece of
 * the body is done with when the next one is asked for. Rejects with an UploadError, or with the reason of `signal`.
 */
export async function upload(
  url: URL,
  { token, body, signal }: { token: string; body: () => AsyncIterable<Uint8Array>; signal: AbortSignal },
): Promise<string> {
  const open = url.protocol === "https:" ? requestTls : request;
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/octet-stream", expect: "100-continue" };
  const outgoing = open(url, { method: "PUT", headers, agent: false, signal });
  outgoing.setTimeout(IDLE_MS, () => outgoing.destroy(new Error(`silent for ${IDLE_MS / 1000} s`)));
  const answered = Promise.withResolvers<string>();
  answered.promise.catch(() => {});
  outgoing.once("response", (response) => {
    readText(response).then((text) => {
      const status = response.statusCode ?? 0;
      if (status === 200) answered.resolve(text);
      else answered.reject(new UploadError(`the operator answered ${status}: ${text.trim().slice(0, 300)}`, { retryable: status !== 403 }));
    }, answered.reject);
  });
  outgoing.once("continue", () => {
    // Once there is an answer that counts, whatever became of the body.
    send(body(), outgoing).catch(answered.reject);
  });
  outgoing.on("error", answered.reject);
  outgoing.flushHeaders();
  try {
    return await answered.promise;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UploadError) throw error;
    throw new UploadError(`no answer from ${url.host}: ${(error as Error).message}`, { retryable: true, cause: error });
  } finally {
    outgoing.destroy();
  }
}

/** One piece after another, each when the one before has been handed to the system: their memory is used again. */
async function send(body: AsyncIterable<Uint8Array>, outgoing: ClientRequest): Promise<void> {
  for await (const piece of body) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    outgoing.write(piece, (error) => (error ? reject(error) : resolve()));
    await promise;
  }
  outgoing.end();
}

async function readText(response: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
