import { randomBytes } from "node:crypto";
import type { GearmanClient } from "../../src/gearman/client/gearman-client.ts";
import { rejectOnAbort } from "./moments.ts";
import { type MergedChange, renderZuulRequest } from "./zuul-request.ts";

/** A build that has ended with SUCCESS; times are those of `performance.now()`. */
interface TimedBuild {
  /** Its Job's name. */
  number: string;
  submittedMs: number;
  /** Of the first WORK_DATA, which the operator sends before it creates the Job. */
  dataMs: number;
  /** Of WORK_COMPLETE. */
  completedMs: number;
}

/**
 * Sends the request of a build of the TestTask `jobName` and resolves when it is answered; `onNumber` hears of its number before that. Rejects for
 * any end but SUCCESS.
 */
export async function runTimedBuild(
  gearman: GearmanClient,
  { jobName, change, onNumber }: { jobName: string; change?: MergedChange | undefined; onNumber?: (number: string) => void },
  limit: AbortSignal,
): Promise<TimedBuild> {
  const unique = randomBytes(16).toString("hex");
  const payload = renderZuulRequest(unique, jobName, change);
  let dataMs: number | undefined;
  let completedMs = 0;
  let said: { number?: string; result?: string } = {};
  const submittedMs = performance.now();
  const submission = gearman.submit({
    functionName: `build:${jobName}`,
    unique,
    payload,
    onEvent(event) {
      if (event.kind === "complete") completedMs = performance.now();
      if (event.kind !== "data") return;
      const isFirst = dataMs === undefined;
      dataMs ??= performance.now();
      said = JSON.parse(event.payload.toString());
      if (isFirst && said.number !== undefined) onNumber?.(said.number);
    },
  });
  const end = await Promise.race([submission.ended, rejectOnAbort(limit)]);
  const { number, result } = said;
  if (end.kind !== "complete" || number === undefined || dataMs === undefined || result !== "SUCCESS") {
    throw new Error(`a build of ${jobName} ended with ${end.kind} and the data ${JSON.stringify(said)}`);
  }
  return { number, submittedMs, dataMs, completedMs };
}
