import type { SubmissionEnd } from "../../gearman/client/gearman-client.ts";
import type { NoResultReason, SubmitEnd } from "./submit-event.ts";
import { readOutcome, type ZuulReading } from "./zuul-reading.ts";

/** What a submission's end means. `isTimedOut`: `--timeout` has passed; `isWithdrawing`: it was just asked to leave the queue. */
export function judgeEnd(end: SubmissionEnd, reading: ZuulReading, asked: { isTimedOut: boolean; isWithdrawing: boolean }): SubmitEnd {
  const outcome = readOutcome(reading);
  // gearmand says WORK_FAIL to the client of what it takes out of the queue, before it says OK.
  if (asked.isWithdrawing && end.kind === "fail" && outcome.kind === "retry") return renderWithdrawn(reading, asked.isTimedOut);
  if (asked.isTimedOut) {
    const answer = outcome.kind === "result" ? `it was stopped and answered ${outcome.result}` : "it was stopped";
    return renderNoResult(reading, "timed-out", `--timeout has passed; ${answer}`);
  }
  if (outcome.kind === "result") {
    const { number, url } = reading;
    const message = `${outcome.result}${url === null ? "" : `, ${url}`}`;
    return { event: "ended", result: outcome.result, reason: null, message, number, url, node: outcome.nodeName };
  }
  if (end.kind === "lost") return renderNoResult(reading, "lost", `${end.reason.message}. ${describeLeft(reading)}`);
  if (outcome.kind === "hang") {
    const remedy = 'The worker must send a JSON object with a "result"';
    return renderNoResult(reading, "hang", `${outcome.why}; Zuul would wait for this change for ever. ${remedy}`);
  }
  const how = { complete: "WORK_COMPLETE without a result", fail: "WORK_FAIL", exception: "WORK_EXCEPTION" }[end.kind];
  const text = end.kind === "exception" ? `, ${end.payload.toString("utf8", 0, 500)}` : "";
  return renderNoResult(
    reading,
    "retry",
    `the worker ended it without one (${how}${text}), so the change is not to blame; Zuul would run it again, up to the job's attempts. ` +
      `The worker's log says why${seePage(reading)}`,
  );
}

export function renderWithdrawn(reading: ZuulReading, isTimedOut: boolean): SubmitEnd {
  return isTimedOut
    ? renderNoResult(reading, "timed-out", "--timeout has passed before a worker took it; it is out of the queue")
    : renderNoResult(reading, "withdrawn", "it was taken out of the queue before a worker took it");
}

export function renderNoResult({ number, url }: ZuulReading, reason: NoResultReason, message: string): SubmitEnd {
  return { event: "ended", result: null, reason, message, number, url, node: null };
}

/** What becomes of a build that nobody follows any more. */
export function describeLeft(reading: ZuulReading): string {
  return reading.number === null ? "No worker had taken it" : `The build may still be running${seePage(reading)}`;
}

function seePage({ url }: ZuulReading): string {
  return url === null ? "" : `; see ${url}`;
}
