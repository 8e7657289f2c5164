/**
 * The files of a spool. Each writer has files of its own, and a number that is greater than those of all who wrote before: one that goes on
 * though another has taken over writes what nobody reads.
 */
export interface SegmentFile {
  /** Of its first byte. */
  readonly offset: number;
  readonly writer: number;
  readonly size: number;
}

const SEGMENT = /^(\d{16})-(\d{1,15})\.log$/;
const JOURNAL = /^journal-(\d{1,15})$/;

export function segmentName({ offset, writer }: { offset: number; writer: number }): string {
  return `${String(offset).padStart(16, "0")}-${writer}.log`;
}

/** Undefined for what is no segment's name. */
export function parseSegmentName(name: string): { offset: number; writer: number } | undefined {
  const [, offset, writer] = SEGMENT.exec(name) ?? [];
  return offset === undefined ? undefined : { offset: Number(offset), writer: Number(writer) };
}

/** A journal's number is that of its writer, or greater. */
export function journalName(number: number): string {
  return `journal-${number}`;
}

/** Undefined for what is no journal's name. */
export function parseJournalName(name: string): number | undefined {
  const [, number] = JOURNAL.exec(name) ?? [];
  return number === undefined ? undefined : Number(number);
}

/**
 * The files that hold the log, in its order, with as many bytes of each as count, and those that hold nothing of it. Where a later writer has
 * begun, nothing of an earlier one counts from there on.
 */
export function arrangeSegments(files: readonly SegmentFile[]): { kept: SegmentFile[]; stale: SegmentFile[] } {
  const kept: SegmentFile[] = [];
  const stale: SegmentFile[] = [];
  for (const file of files.toSorted((a, b) => a.writer - b.writer || a.offset - b.offset)) {
    while ((kept.at(-1)?.offset ?? -1) >= file.offset) stale.push(kept.pop() as SegmentFile);
    kept.push(file);
  }
  const clipped = kept.map((file, index) => {
    const room = (kept[index + 1]?.offset ?? Number.POSITIVE_INFINITY) - file.offset;
    return file.size > room ? { ...file, size: room } : file;
  });
  return { kept: clipped, stale };
}
