/**
 * What is kept of a log that is longer than `limitBytes`: its head and its tail, a half each, in segments of a sixteenth. The disk holds one
 * segment more, that which is being written.
 */
export function segmentBytesFor(limitBytes: number): number {
  return Math.max(1, Math.floor(limitBytes / 16));
}

const HALF_SEGMENTS = 8;

/**
 * Which segment goes when another begins; undefined: none. Bytes are counted and not segments, as each writer begins with one of its own and
 * may leave it short.
 */
export function segmentToDrop(
  segments: readonly { readonly offset: number; readonly size: number }[],
  limitBytes: number,
): number | undefined {
  const half = HALF_SEGMENTS * segmentBytesFor(limitBytes);
  const first = segments.findIndex(({ offset }) => offset >= half);
  if (first === -1) return undefined;
  const behind = segments.slice(first + 1).reduce((total, { size }) => total + size, 0);
  return behind >= half ? first : undefined;
}
