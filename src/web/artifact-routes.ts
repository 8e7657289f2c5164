import type { Context } from "hono";
import { ARTIFACTS_FOLDER } from "../core/logs/build-directory.ts";
import { storedFileHeaders } from "../core/logs/stored-file.ts";
import { SAFETY } from "./answers.ts";
import { parseRange } from "./log-routes.ts";
import type { StoredBuildView } from "./page-sources.ts";

/** A file that a test has uploaded, or a range of it, as what can do no harm; undefined where it is gone. */
export async function artifactAnswer(
  context: Context,
  stored: StoredBuildView,
  { path, bytes: size }: { path: string; bytes: number },
): Promise<Response | undefined> {
  const headers = { ...SAFETY, ...storedFileHeaders(`${ARTIFACTS_FOLDER}/${path}`), "cache-control": "no-cache", "accept-ranges": "bytes" };
  const range = parseRange(context.req.header("range"), size);
  if (range === "unsatisfiable") return context.body(null, 416, { ...headers, "content-range": `bytes */${size}` });
  const [start, end] = range ?? [0, size];
  const more = { "content-length": String(end - start), ...(range ? { "content-range": `bytes ${start}-${end - 1}/${size}` } : {}) };
  const status = range ? 206 : 200;
  if (context.req.method === "HEAD" || size === 0) return context.body(null, status, { ...headers, ...more });
  const body = await stored.artifact(path, { start, end });
  return body && context.body(streamOf(body), status, { ...headers, ...more });
}

/** Read as fast as it is taken; whoever goes away ends it. */
function streamOf(body: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
