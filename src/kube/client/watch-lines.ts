import { KubeError } from "./kube-error.ts";

/** An object is at most 1.5 MiB in etcd (3 MiB as a request); a longer line is no event. */
const MAX_WATCH_LINE_BYTES = 8 * 2 ** 20;

const NEWLINE = 0x0a;

/** Cuts a byte stream into lines without their newline. Throws `TH_KUBE_PROTOCOL` for a line above `maxBytes` and for an unfinished last one. */
export async function* splitLines(chunks: AsyncIterable<Buffer>, maxBytes: number = MAX_WATCH_LINE_BYTES): AsyncGenerator<string> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      checkLength(heldBytes + end - start, maxBytes);
      yield Buffer.concat([...held, chunk.subarray(start, end)]).toString("utf8");
      held = [];
      heldBytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) {
      held.push(chunk.subarray(start));
      heldBytes += chunk.length - start;
      checkLength(heldBytes, maxBytes);
    }
  }
  if (heldBytes > 0) throw new KubeError("TH_KUBE_PROTOCOL", "the watch ended in the middle of an event", { retryable: true });
}

function checkLength(bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new KubeError("TH_KUBE_PROTOCOL", `an event of the watch is longer than ${maxBytes} bytes`, { retryable: true });
}
