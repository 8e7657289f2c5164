/** A container's log as a runtime writes it, a kubelet rotates it and an API server gives it. */
export interface Entry {
  /** Nanoseconds since 1970. */
  readonly ns: bigint;
  readonly content: Uint8Array;
  readonly isPartial: boolean;
}

const PIECE = 16 * 1024;

export function renderTime(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, "0")}Z`;
}

/** What containerd makes of one write of a stream: a piece for each 16 KiB, and the rest whole where a newline ends it. */
export function entriesOf(ns: () => bigint, text: Uint8Array, isEnded: boolean): Entry[] {
  const entries: Entry[] = [];
  let at = 0;
  for (; text.length - at > PIECE; at += PIECE) entries.push({ ns: ns(), content: text.subarray(at, at + PIECE), isPartial: true });
  entries.push({ ns: ns(), content: text.subarray(at), isPartial: isEnded });
  return entries;
}

/** One stream of files: as `ReadLogs` of k8s.io/cri-client, pkg/logs/logs.go writes it with timestamps. */
export class ReadLogs {
  #isNewLine = true;
  readonly #sinceNs: bigint;

  constructor(since: string | undefined) {
    this.#sinceNs = since === undefined ? 0n : BigInt(Date.parse(since)) * 1_000_000n;
  }

  read({ ns, content, isPartial }: Entry): Uint8Array {
    const log = isPartial ? content : new Uint8Array([...content, 10]);
    const shown = ns < this.#sinceNs ? [] : [...(this.#isNewLine ? Buffer.from(`${renderTime(ns)} `) : []), ...log];
    this.#isNewLine = log.length === 0 || log[log.length - 1] === 10;
    return new Uint8Array(shown);
  }
}
