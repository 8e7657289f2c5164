/**
 * What Zuul 2.6 makes of a build's packets (`zuul/launcher/gearman.py` on `gear.Client`), kept as it keeps it. Two rules matter most:
 * only the last packet with data counts (WORK_DATA, WORK_WARNING or a WORK_COMPLETE that is not empty), and number and manager are
 * taken once, from the first that has a number.
 */
export interface ZuulReading {
  /** Any JSON value, sent back as it came in `stop:`; null while the worker has not told it. */
  readonly number: unknown;
  /** Where Zuul sends `stop:` to. */
  readonly manager: unknown;
  readonly url: string | null;
  readonly workerName: string | null;
  readonly lastData: Uint8Array | undefined;
}

/** How a build ended for Zuul. */
type ZuulOutcome =
  /** A result that is no text is shown as JSON; none of them is SUCCESS then. */
  | { kind: "result"; result: string; nodeName: string | null }
  /** No result: Zuul launches the build again, up to the job's `attempts`. */
  | { kind: "retry" }
  /** Zuul never finishes the change; `why` is a clause. */
  | { kind: "hang"; why: string };

export const NOTHING_READ: ZuulReading = { number: null, manager: null, url: null, workerName: null, lastData: undefined };

/** gear keeps data that is not empty; Zuul looks at it only when it is told to. */
export function keepData(reading: ZuulReading, data: Uint8Array): ZuulReading {
  return data.length === 0 ? reading : { ...reading, lastData: data };
}

/** Zuul's `onWorkStatus`, called for WORK_DATA (after `keepData`) and for WORK_STATUS. Data that is no JSON object makes Zuul throw: no change. */
export function readUpdate(reading: ZuulReading): ZuulReading {
  const data = parseJobData(reading.lastData);
  if (data === undefined) return reading;
  const isStarted = reading.number !== null;
  return {
    number: isStarted ? reading.number : (data.number ?? null),
    manager: isStarted ? reading.manager : (data.manager ?? null),
    url: typeof data.url === "string" && data.url !== "" ? data.url : reading.url,
    workerName: typeof data.worker_name === "string" ? data.worker_name : reading.workerName,
    lastData: reading.lastData,
  };
}

/** Zuul's `onBuildCompleted`, for WORK_COMPLETE (after `keepData`), WORK_FAIL, WORK_EXCEPTION and a lost connection alike. */
export function readOutcome(reading: ZuulReading): ZuulOutcome {
  const data = parseJobData(reading.lastData);
  if (data === undefined) return { kind: "hang", why: "its last data is no JSON object" };
  const result = data.result ?? null;
  if (result === null) return { kind: "retry" };
  if (isFalsyInPython(result)) return { kind: "hang", why: `its result is ${JSON.stringify(result)}` };
  return {
    kind: "result",
    result: typeof result === "string" ? result : JSON.stringify(result),
    nodeName: typeof data.node_name === "string" ? data.node_name : null,
  };
}

/** Zuul's `getJobData`: no data is `{}`; undefined where Python would throw or would have no `get`. */
function parseJobData(data: Uint8Array | undefined): Readonly<Record<string, unknown>> | undefined {
  if (data === undefined) return {};
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** `areAllJobsComplete` asks whether each build has a result that is true. */
function isFalsyInPython(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return !value;
}
