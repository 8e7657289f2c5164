import { randomBytes } from "node:crypto";
import type { GearmanClient } from "../../../src/gearman/client/gearman-client.ts";
import { rejectOnAbort } from "../moments.ts";
import { type MergedChange, renderZuulRequest } from "../zuul-request.ts";

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

/** Sends the request of a build of the TestTask `jobName` and resolves when it is answered. Rejects for any end but SUCCESS. */
export async function runTimedBuild(
  gearman: GearmanClient,
  { jobName, change }: { jobName: string; change?: MergedChange | undefined },
  limit: AbortSignal,
): Promise<TimedBuild> {
  const unique = randomBytes(16).toString("hex");
  const payload = renderZuulRequest(unique, jobName, change);
  let dataMs: number | undefined;
  let completedMs = 0;
  let lastData = "";
  const submittedMs = performance.now();
  const submission = gearman.submit({
    functionName: `build:${jobName}`,
    unique,
    payload,
    onEvent(event) {
      if (event.kind === "complete") completedMs = performance.now();
      if (event.kind !== "data") return;
      dataMs ??= performance.now();
      lastData = event.payload.toString();
    },
  });
  const end = await Promise.race([submission.ended, rejectOnAbort(limit)]);
  const { number, result } = JSON.parse(lastData || "{}") as { number?: string; result?: string };
  if (end.kind !== "complete" || number === undefined || dataMs === undefined || result !== "SUCCESS") {
    throw new Error(`a build of ${jobName} ended with ${end.kind} and the data ${lastData || "(none)"}`);
  }
  return { number, submittedMs, dataMs, completedMs };
}
