/**
 * What is kept of a log that is longer than `limitBytes`: its head and its tail, a half each, in segments of a sixteenth. The disk holds one
 * segment more, that which is being written.
 */
export function segmentBytesFor(limitBytes: number): number {
  return Math.max(1, Math.floor(limitBytes / 16));
}

const HEAD_SEGMENTS = 8;
const TAIL_SEGMENTS = 8;

/** Which of so many segments goes when another begins, counted from the first; undefined: none. */
export function segmentToDrop(count: number): number | undefined {
  return count > HEAD_SEGMENTS + TAIL_SEGMENTS ? HEAD_SEGMENTS : undefined;
}
