/** One entry of a container's log file, as runtimes write it. */
export interface LogEntry {
  /** Nanoseconds since 1970. */
  readonly ns: bigint;
  readonly content: Uint8Array;
  /** The line goes on in the next entry, or has no end. */
  readonly isPartial: boolean;
}

/** What containerd writes at once of a line (`max_container_log_line_size`). */
export const PIECE_BYTES = 16 * 1024;

/** As the kubelet renders it, with all nine digits. */
export function renderLogTime(ns: bigint): string {
  return `${new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19)}.${String(ns % 1_000_000_000n).padStart(9, "0")}Z`;
}

/** What containerd makes of a line: an entry for each 16 KiB of it. One that is `unfinished` is the last of its output. */
export function entriesOf(ns: () => bigint, line: Uint8Array, isUnfinished = false): LogEntry[] {
  const entries: LogEntry[] = [];
  let at = 0;
  for (; line.length - at > PIECE_BYTES; at += PIECE_BYTES) {
    entries.push({ ns: ns(), content: line.subarray(at, at + PIECE_BYTES), isPartial: true });
  }
  entries.push({ ns: ns(), content: line.subarray(at), isPartial: isUnfinished });
  return entries;
}

/** What was printed. */
export function printedBytes(entries: readonly LogEntry[]): Buffer {
  return Buffer.concat(entries.flatMap(({ content, isPartial }) => (isPartial ? [content] : [content, NEWLINE])));
}

const NEWLINE = Buffer.from("\n");

/** What one reader is shown of a file of entries: `ReadLogs` of k8s.io/cri-client, pkg/logs/logs.go. */
export class LogReader {
  readonly #sinceNs: bigint;
  readonly #hasTimestamps: boolean;
  #isNewLine = true;

  constructor({ sinceTime, timestamps }: { sinceTime?: string | null | undefined; timestamps: boolean }) {
    this.#sinceNs = sinceTime ? BigInt(Math.floor(Date.parse(sinceTime) / 1000)) * 1_000_000_000n : 0n;
    this.#hasTimestamps = timestamps;
  }

  show({ ns, content, isPartial }: LogEntry): Buffer {
    const log = isPartial ? [content] : [content, NEWLINE];
    const prefix = this.#hasTimestamps && this.#isNewLine ? [Buffer.from(`${renderLogTime(ns)} `)] : [];
    const shown = ns < this.#sinceNs ? [] : [...prefix, ...log];
    this.#isNewLine = !isPartial || content.length === 0;
    return Buffer.concat(shown);
  }
}
