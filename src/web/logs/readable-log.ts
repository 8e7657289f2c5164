/** The log of one container as pages read it, while it grows and after: bytes as they were printed, and what is known beside them. */
export interface ReadableLog {
  snapshot(): LogSnapshot;
  /** At most `maxBytes` from `offset` on; where that is not kept, from behind the cut on. Empty at the end. */
  read(offset: number, maxBytes: number): Promise<{ offset: number; bytes: Uint8Array }>;
  /** Where lines begin, by offset; the first is 0, the last is near the end. Never empty. */
  points(): readonly LogPoint[];
  /** Resolves once there is more than at the time of the call, or no more comes; rejects with the reason of `signal`. */
  changed(signal: AbortSignal): Promise<void>;
}

export interface LogSnapshot {
  /** All that was printed, what was cut included. */
  bytes: number;
  /** Nothing more comes. */
  isEnded: boolean;
  /** Nothing more comes by this object, as others go on with the log: whoever asks anew is given another one. */
  isLeft?: boolean;
  holes: readonly LogHoleAt[];
  cut: LogCutAt | undefined;
  /** Where the container was started again: what comes from there on is another run's. */
  attempts: readonly LogAttemptAt[];
}

export interface LogAttemptAt {
  offset: number;
  /** How often it had been started again. */
  attempt: number;
}

export interface LogPoint {
  offset: number;
  /** Whole lines before it. */
  lines: number;
}

/** Something that was printed here is missing: the kubelet had thrown it away before it could be read. Times are RFC 3339. */
export interface LogHoleAt {
  offset: number;
  after: string;
  before?: string | undefined;
}

/** What is not kept, as the log is longer than it may be. */
export interface LogCutAt {
  from: number;
  to: number;
}

/** The last point at or before this offset. */
export function pointBefore(points: readonly LogPoint[], offset: number): LogPoint {
  return points[lastIndex(points, (point) => point.offset <= offset)] ?? { offset: 0, lines: 0 };
}

/** The last point at or before the beginning of this line; lines count from 1. */
export function pointBeforeLine(points: readonly LogPoint[], line: number): LogPoint {
  return points[lastIndex(points, (point) => point.lines < line)] ?? { offset: 0, lines: 0 };
}

/** The first point at or behind this offset. */
export function pointBehind(points: readonly LogPoint[], offset: number): LogPoint | undefined {
  return points[lastIndex(points, (point) => point.offset < offset) + 1];
}

/** Of a row in which `holds` is true at first and false from some index on. */
function lastIndex(points: readonly LogPoint[], holds: (point: LogPoint) => boolean): number {
  let [low, high] = [-1, points.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (holds(points[middle] as LogPoint)) low = middle;
    else high = middle;
  }
  return low;
}
