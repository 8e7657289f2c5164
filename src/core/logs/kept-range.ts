/**
 * What is kept of a log that is longer than `limitBytes`: its head and its tail, a half each, in segments of a sixteenth. The disk holds one
 * segment more, that which is being written.
 */
export function segmentBytesFor(limitBytes: number): number {
  return Math.max(1, Math.floor(limitBytes / 16));
}

const HEAD_SEGMENTS = 8;
const TAIL_SEGMENTS = 8;

/** Which segment goes when another begins after these, by their indexes in order of what they hold; undefined: none. */
export function segmentToDrop(segments: readonly number[]): number | undefined {
  return segments.length > HEAD_SEGMENTS + TAIL_SEGMENTS ? segments[HEAD_SEGMENTS] : undefined;
}
