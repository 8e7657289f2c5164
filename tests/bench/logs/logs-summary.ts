import { quantile } from "../overhead/overhead-summary.ts";

/** One reading of a whole log. */
export interface Reading {
  /** Bytes that the container printed. */
  readonly bytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

interface LogsReport {
  /** Bytes per second. */
  rate: { ours: number; kubectl: number; ratio: number };
  latencyMs: { p50: number; p99: number };
  cpuSecondsPerGb: { ours: number; kubectl: number };
}

const LEAST_RATIO = 1;
const MOST_P99_MS = 250;

export function summarizeLogs(ours: readonly Reading[], kubectl: readonly Reading[], latencies: readonly number[]): LogsReport {
  const median = (readings: readonly Reading[], value: (reading: Reading) => number) => quantile(readings.map(value), 0.5);
  const rate = (readings: readonly Reading[]) => median(readings, ({ bytes, seconds }) => bytes / seconds);
  const cpu = (readings: readonly Reading[]) => round(median(readings, ({ bytes, cpuSeconds }) => (cpuSeconds / bytes) * 1e9));
  return {
    rate: { ours: Math.round(rate(ours)), kubectl: Math.round(rate(kubectl)), ratio: round(rate(ours) / rate(kubectl)) },
    latencyMs: { p50: round(quantile(latencies, 0.5)), p99: round(quantile(latencies, 0.99)) },
    cpuSecondsPerGb: { ours: cpu(ours), kubectl: cpu(kubectl) },
  };
}

export function isGoodEnough({ rate, latencyMs }: LogsReport): boolean {
  return rate.ratio >= LEAST_RATIO && latencyMs.p99 <= MOST_P99_MS;
}

export function renderLogs({ rate, latencyMs, cpuSecondsPerGb }: LogsReport): string {
  const verdict = (isMet: boolean) => (isMet ? "met" : "MISSED");
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  return [
    `MB per second      followed ${megabytes(rate.ours)}, kubectl logs -f --timestamps > file ${megabytes(rate.kubectl)}: ${rate.ratio}`,
    `CPU seconds per GB followed ${cpuSecondsPerGb.ours}, kubectl ${cpuSecondsPerGb.kubectl}`,
    `ms from a printed line to a reader: p50 ${latencyMs.p50}, p99 ${latencyMs.p99}`,
    `a ratio of at least ${LEAST_RATIO} is wanted: ${verdict(rate.ratio >= LEAST_RATIO)}; at most ${MOST_P99_MS} ms at p99: ${verdict(latencyMs.p99 <= MOST_P99_MS)}`,
  ].join("\n");
}

function round(value: number): number {
  return Number(value.toFixed(2));
}
