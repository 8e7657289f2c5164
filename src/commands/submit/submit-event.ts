import { STEPS } from "../../core/observation/steps.ts";
import { type Paint, PLAIN } from "../terminal-colour.ts";

/** Why there is no result; `retry`, `hang` and `unregistered` are what Zuul would do next. */
export type NoResultReason =
  /** The worker ended the build without a result. */
  | "retry"
  /** Its last data is nothing that Zuul can read. */
  | "hang"
  /** The connection went, or never came about, or the server refused the request. */
  | "lost"
  /** No worker ever registered the function. */
  | "unregistered"
  /** `--timeout` has passed. */
  | "timed-out"
  /** Stopped before a worker took it, or before it was sent. */
  | "withdrawn"
  /** The second interrupt: the build runs on, perhaps. */
  | "left";

/** What happened to a build, in order; `ended` is always the last and comes exactly once. `--json` prints them as they are. */
export type SubmitEvent =
  /** The function is free of workers now (`no-worker`) or was never known (`unregistered`, with `--wait`). */
  | { event: "waiting"; why: "no-worker" | "unregistered"; function: string }
  /** The server has it (JOB_CREATED). */
  | { event: "submitted"; server: string; function: string; unique: string; handle: string }
  /** Zuul's "build started": the worker has told its number. */
  | { event: "started"; number: unknown; manager: unknown; worker: string | null; url: string | null }
  | { event: "url"; url: string }
  /** WORK_STATUS. `name` where the worker counts this program's steps. */
  | { event: "step"; numerator: number; denominator: number; name: string | null }
  /** `cancel`: out of the queue; `stop`: asked the manager; `later`: will ask as soon as the worker tells its number; `impossible`: it told no manager. */
  | {
      event: "stopping";
      cause: "interrupt" | "timeout";
      how: "cancel" | "stop" | "later" | "impossible";
      manager: unknown;
      number: unknown;
    }
  | SubmitEnd;

export interface SubmitEnd {
  event: "ended";
  /** As Zuul takes it; null: there is none, and `reason` says why. */
  result: string | null;
  reason: NoResultReason | null;
  /** One line for a person: what it means and what to do. */
  message: string;
  number: unknown;
  url: string | null;
  node: string | null;
}

/** `noResult` also for arguments that cannot be used, so that 1 always means that a build ran and was not successful. */
export const SUBMIT_EXIT_CODES = { success: 0, otherResult: 1, noResult: 2 } as const;

export function submitExitCode(end: SubmitEnd): number {
  if (end.result === null) return SUBMIT_EXIT_CODES.noResult;
  return end.result === "SUCCESS" ? SUBMIT_EXIT_CODES.success : SUBMIT_EXIT_CODES.otherResult;
}

/** One line for a person, the end in the colour of its result, without what a terminal would obey: most of it comes from the worker. */
export function renderEventLine(event: SubmitEvent, elapsedMs: number, paint: Paint = PLAIN): string {
  const line = `${(elapsedMs / 1000).toFixed(1).padStart(7)} s  ${printable(describe(event))}`;
  if (event.event !== "ended") return line;
  return paint(submitExitCode(event) === SUBMIT_EXIT_CODES.success ? "good" : "bad", line);
}

/** One JSON object in one line: the event, with the time since the start. The end has the exit code too. */
export function renderEventJson(event: SubmitEvent, elapsedMs: number): string {
  return JSON.stringify({
    ...event,
    elapsedMs: Math.round(elapsedMs),
    ...(event.event === "ended" ? { exitCode: submitExitCode(event) } : {}),
  });
}

/** The step that a build of this program's is in; null when the worker counts something else. */
export function stepName(manager: unknown, numerator: number, denominator: number): string | null {
  if (typeof manager !== "string" || !manager.startsWith("turbo-hipster-") || denominator !== STEPS.length) return null;
  return numerator >= STEPS.length ? "done" : (STEPS[numerator] ?? null);
}

function describe(event: SubmitEvent): string {
  switch (event.event) {
    case "waiting":
      return event.why === "no-worker"
        ? `waiting: no worker for ${event.function} is connected at the moment`
        : `waiting: no worker has ever registered ${event.function}; Zuul would report NOT_REGISTERED`;
    case "submitted":
      return `submitted ${event.function} to ${event.server}, unique ${event.unique}`;
    case "started":
      return `accepted${event.worker === null ? "" : ` by ${event.worker}`}: number ${text(event.number)}${event.url === null ? "" : `, ${event.url}`}`;
    case "url":
      return `page ${event.url}`;
    case "step":
      return `step ${event.numerator}/${event.denominator}${event.name === null ? "" : ` ${event.name}`}`;
    case "stopping":
      return `${event.cause === "timeout" ? "timed out" : "interrupted"}: ${STOPPING[event.how](event.manager)}`;
    case "ended":
      return event.result === null ? `no result: ${event.message}` : event.message;
  }
}

const STOPPING = {
  cancel: () => "taking it out of the queue",
  stop: (manager: unknown) => `asked ${text(manager)} to stop it, waiting for its end (Ctrl-C again leaves at once)`,
  later: () => "it will be stopped as soon as its worker tells its number (Ctrl-C again leaves at once)",
  impossible: () => "its worker named no manager, so it cannot be stopped; waiting for its end (Ctrl-C again leaves at once)",
} as const;

function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function printable(line: string): string {
  return line.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
}
