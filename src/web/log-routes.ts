import type { Context } from "hono";
import type { Clock } from "../runtime/clock.ts";
import { SAFETY } from "./answers.ts";
import { type SharedChunks, streamLog } from "./logs/log-stream.ts";
import { parsePosition } from "./logs/log-window.ts";
import type { ReadableLog } from "./logs/readable-log.ts";

const encoder = new TextEncoder();
const READ_BYTES = 256 * 1024;

/** The events of a log, each made when the connection has room for it. `onEnd` is called once. */
export function streamAnswer(context: Context, log: ReadableLog, options: { chunks: SharedChunks; clock: Clock; onEnd(): void }): Response {
  const from = parsePosition(context.req.header("last-event-id") ?? context.req.query("position"));
  const over = new AbortController();
  let isEnded = false;
  const end = () => {
    over.abort();
    if (!isEnded) options.onEnd();
    isEnded = true;
  };
  const events = streamLog(log, from, { ...options, signal: over.signal });
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await events.next();
          if (!done) controller.enqueue(encoder.encode(value));
          else {
            end();
            controller.close();
          }
        } catch (error) {
          end();
          controller.error(error);
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
  return context.body(body, 200, {
    ...SAFETY,
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    // Or nginx would keep events back until it has a buffer full of them.
    "x-accel-buffering": "no",
  });
}

/** The bytes as they were printed, or a range of them; what was cut is left out. To browsers it is text, whatever it holds. */
export function rawAnswer(context: Context, log: ReadableLog): Response {
  const { bytes: size, cut } = log.snapshot();
  const headers = {
    ...SAFETY,
    "content-type": "text/plain; charset=utf-8",
    "content-security-policy": "default-src 'none'; sandbox",
    "cache-control": "no-cache",
  };
  // Offsets of what is told and of what is sent would differ.
  const range = cut ? undefined : parseRange(context.req.header("range"), size);
  if (range === "unsatisfiable") return context.body(null, 416, { ...headers, "content-range": `bytes */${size}` });
  const [start, end] = range ?? [0, size];
  const length = cut ? size - (cut.to - cut.from) : end - start;
  const more = range ? { "content-range": `bytes ${start}-${end - 1}/${size}` } : {};
  return context.body(readRange(log, start, end), range ? 206 : 200, {
    ...headers,
    ...more,
    "content-length": String(length),
    "accept-ranges": cut ? "none" : "bytes",
  });
}

function readRange(log: ReadableLog, start: number, end: number): ReadableStream<Uint8Array> {
  let offset = start;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const read = offset < end ? await log.read(offset, Math.min(READ_BYTES, end - offset)) : undefined;
        if (!read || read.bytes.length === 0 || read.offset >= end) {
          controller.close();
          return;
        }
        controller.enqueue(read.bytes.subarray(0, end - read.offset));
        offset = read.offset + read.bytes.length;
      },
    },
    { highWaterMark: 0 },
  );
}

/** One range of bytes, `[start, end)`; others are answered with the whole (RFC 9110, 14.2). */
export function parseRange(header: string | undefined, size: number): [number, number] | "unsatisfiable" | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "") return Number(last) === 0 || size === 0 ? "unsatisfiable" : [Math.max(0, size - Number(last)), size];
  const start = Number(first);
  const end = last === "" ? size : Math.min(size, Number(last) + 1);
  if (start >= size) return "unsatisfiable";
  return end > start ? [start, end] : undefined;
}
