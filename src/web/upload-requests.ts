import type { IncomingMessage, ServerResponse } from "node:http";
import { coerceError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";

interface UploadAnswer {
  status: number;
  body: string;
}

/** Whoever has heard the answer goes away. */
const LINGER_MS = 5000;

/** Who takes uploads; `B` is what it knows of a build. */
export interface UploadTaker<B> {
  admit(number: string, authorization: string | undefined, signal: AbortSignal): Promise<{ build: B } | { refusal: UploadAnswer }>;
  receive(build: B, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<UploadAnswer>;
}

/** Takes a request that is for it, and answers it some time; false for any other. */
export type UploadHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

const PATH = /^\/builds\/([a-z0-9.-]{1,253})\/artifacts$/;
/** Beyond what a collector tries for; its own limit is the task's. */
const MAX_UPLOAD_MS = 60 * 60_000;
/** Nothing of the body comes for so long, or is taken: a store may try again for some minutes. */
const IDLE_MS = 5 * 60_000;

/**
 * `PUT /builds/NUMBER/artifacts`: asked for with `Expect: 100-continue`, so that no byte is sent before the token was looked at. The
 * connection ends soon after the answer.
 */
export function makeUploadHandler<B>(taker: UploadTaker<B>, logger: Logger): UploadHandler {
  return (request, response) => {
    const number = PATH.exec(request.url ?? "")?.[1];
    if (number === undefined || request.method !== "PUT") return false;
    const gone = new AbortController();
    const deadline = setTimeout(() => request.destroy(new Error("the upload takes too long")), MAX_UPLOAD_MS);
    response.once("close", () => {
      clearTimeout(deadline);
      gone.abort(new Error("the collector has gone"));
    });
    // What breaks a connection shows in the body, or in nothing at all.
    request.on("error", () => {});
    request.setTimeout(IDLE_MS, () => request.destroy(new Error("the collector is silent")));
    void respond(request, response, take(number, request, response, taker, gone.signal), logger);
    return true;
  };
}

async function respond(request: IncomingMessage, response: ServerResponse, taken: Promise<UploadAnswer>, logger: Logger): Promise<void> {
  let answer: UploadAnswer;
  try {
    answer = await taken;
  } catch (thrown) {
    logger.error({ err: coerceError(thrown), url: request.url }, "answers 500 after an unexpected error");
    answer = { status: 500, body: "an unexpected error; the operator's log has it\n" };
  }
  const { socket } = request;
  response.writeHead(answer.status, { "content-type": "text/plain; charset=utf-8" });
  response.end(answer.body);
  if (socket.destroyed) return;
  // With something unread, closing would take the answer away from who is still sending: what comes is thrown away for a while.
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
}

async function take<B>(
  number: string,
  request: IncomingMessage,
  response: ServerResponse,
  taker: UploadTaker<B>,
  signal: AbortSignal,
): Promise<UploadAnswer> {
  if (request.headers.expect?.toLowerCase() !== "100-continue") return { status: 417, body: "ask first, with Expect: 100-continue\n" };
  const admission = await taker.admit(number, request.headers.authorization, signal);
  if ("refusal" in admission) return admission.refusal;
  response.writeContinue();
  // Not ended where it is not read to its end: the answer has to go back.
  return taker.receive(admission.build, request.iterator({ destroyOnReturn: false }), signal);
}
