import { randomUUID } from "node:crypto";
import { renderPythonJson } from "../../core/zuul/python-json.ts";
import { cancelQueuedRequest, fetchRegisteredFunctions } from "../../gearman/client/gearman-admin.ts";
import { connectGearmanClient, type GearmanClient, type Submission, type SubmissionEvent } from "../../gearman/client/gearman-client.ts";
import { GearmanError } from "../../gearman/wire/gearman-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import { renderServingRemedy } from "./serving-remedy.ts";
import { describeLeft, judgeEnd, renderNoResult, renderWithdrawn } from "./submit-end.ts";
import { type SubmitEnd, type SubmitEvent, stepName } from "./submit-event.ts";
import { keepData, NOTHING_READ, readUpdate, type ZuulReading } from "./zuul-reading.ts";

export interface SubmitRequest {
  /** "host:port". */
  readonly server: string;
  readonly jobName: string;
  readonly functionName: string;
  readonly unique: string;
  readonly payload: string;
  /** Submit it even if no worker has ever registered the function. */
  readonly waitsForWorker: boolean;
  /** For everything. After it the build is stopped. */
  readonly timeoutMs?: number;
}

interface SubmitWorld {
  readonly clock: Clock;
  /** Aborts when the build shall be stopped. */
  readonly stop: AbortSignal;
  /** Aborts when nobody wants to wait for its end any more. */
  readonly leave: AbortSignal;
  onEvent(event: SubmitEvent): void;
}

/** How long a build that was stopped because of `timeoutMs` may take to end: more than a pod's usual grace. */
export const STOP_WAIT_MS = 60_000;

/**
 * Is Zuul for one build: asks whether the function is registered, submits, follows, and reads the result as Zuul does. Resolves with the
 * event it has just emitted as the last; rejects only for errors of our own. Leaves no connection and no timer behind.
 */
export async function submitBuild(request: SubmitRequest, world: SubmitWorld): Promise<SubmitEnd> {
  return new BuildSubmission(request, world).run();
}

class BuildSubmission {
  readonly #request: SubmitRequest;
  readonly #world: SubmitWorld;
  readonly #deadline = new AbortController();
  readonly #end = Promise.withResolvers<SubmitEnd>();
  #reading: ZuulReading = NOTHING_READ;
  #isWithdrawing = false;
  /** Set when a stop was wanted before the worker had told its number. */
  #stopsWhenStarted = false;

  constructor(request: SubmitRequest, world: SubmitWorld) {
    this.#request = request;
    this.#world = world;
  }

  async run(): Promise<SubmitEnd> {
    const { clock, stop, leave } = this.#world;
    const { timeoutMs } = this.#request;
    const cancelTimer = timeoutMs === undefined ? undefined : clock.schedule(timeoutMs, () => this.#deadline.abort());
    try {
      const end = await this.#perform(AbortSignal.any([stop, leave, this.#deadline.signal]));
      this.#world.onEvent(end);
      return end;
    } finally {
      cancelTimer?.();
    }
  }

  async #perform(giveUp: AbortSignal): Promise<SubmitEnd> {
    const { server, functionName } = this.#request;
    let client: GearmanClient;
    try {
      const registered = await fetchRegisteredFunctions({ server, clock: this.#world.clock, signal: giveUp });
      const unregistered = this.#checkRegistered(registered);
      if (unregistered) return unregistered;
      client = await connectOrGiveUp(this.#request, this.#world.clock, giveUp);
    } catch (error) {
      if (giveUp.aborted) return renderNoResult(this.#reading, this.#isTimedOut ? "timed-out" : "withdrawn", "nothing was sent");
      if (!(error instanceof GearmanError)) throw error;
      return renderNoResult(this.#reading, "lost", `${error.message}. Is a Gearman server there? --server HOST:PORT names another`);
    }
    try {
      return await this.#follow(client);
    } catch (error) {
      throw new Error(`cannot follow ${functionName}: ${coerceError(error).message}`, { cause: error });
    } finally {
      await client.stop();
    }
  }

  /** Zuul reports NOT_REGISTERED for a function that `status` does not list, whether or not a worker is there now. */
  #checkRegistered(registered: ReadonlyMap<string, { workers: number }>): SubmitEnd | undefined {
    const { functionName, server } = this.#request;
    const workers = registered.get(functionName)?.workers;
    if (workers !== undefined && workers > 0) return undefined;
    if (workers === undefined && !this.#request.waitsForWorker) {
      const remedy = renderServingRemedy(functionName, registered.keys());
      return renderNoResult(
        this.#reading,
        "unregistered",
        `no worker serves ${functionName} at ${server}; Zuul would report NOT_REGISTERED. ${remedy} --wait submits it all the same`,
      );
    }
    this.#world.onEvent({ event: "waiting", why: workers === undefined ? "unregistered" : "no-worker", function: functionName });
    return undefined;
  }

  async #follow(client: GearmanClient): Promise<SubmitEnd> {
    const { functionName, unique, payload } = this.#request;
    const { stop, leave, clock } = this.#world;
    const undo: (() => void)[] = [];
    const whenAborted = (signal: AbortSignal, listener: () => void) => {
      signal.addEventListener("abort", listener, { once: true });
      undo.push(() => signal.removeEventListener("abort", listener));
      if (signal.aborted) listener();
    };
    try {
      const submission = client.submit({ functionName, unique, payload, onEvent: (event) => this.#take(event, client) });
      const requestStop = () => this.#requestStop(client, submission).catch((error) => this.#end.reject(error));
      whenAborted(stop, requestStop);
      whenAborted(this.#deadline.signal, () => {
        if (!stop.aborted) void requestStop();
        undo.push(
          clock.schedule(STOP_WAIT_MS, () => this.#end.resolve(renderNoResult(this.#reading, "timed-out", describeLeft(this.#reading)))),
        );
      });
      whenAborted(leave, () => this.#end.resolve(renderNoResult(this.#reading, "left", describeLeft(this.#reading))));
      return await this.#end.promise;
    } finally {
      for (const step of undo) step();
    }
  }

  #take(event: SubmissionEvent, client: GearmanClient): void {
    const { server, functionName, unique } = this.#request;
    switch (event.kind) {
      case "created":
        this.#world.onEvent({ event: "submitted", server, function: functionName, unique, handle: event.handle });
        return;
      case "warning":
        this.#reading = keepData(this.#reading, event.payload);
        return;
      case "data":
        this.#reading = keepData(this.#reading, event.payload);
        this.#update(client);
        return;
      case "status": {
        this.#update(client);
        const { numerator, denominator } = event;
        this.#world.onEvent({ event: "step", numerator, denominator, name: stepName(this.#reading.manager, numerator, denominator) });
        return;
      }
      default:
        if (event.kind === "complete") this.#reading = keepData(this.#reading, event.payload);
        this.#end.resolve(judgeEnd(event, this.#reading, { isTimedOut: this.#isTimedOut, isWithdrawing: this.#isWithdrawing }));
    }
  }

  #update(client: GearmanClient): void {
    const before = this.#reading;
    this.#reading = readUpdate(before);
    const { number, manager, url, workerName } = this.#reading;
    if (before.number === null && number !== null) {
      this.#world.onEvent({ event: "started", number, manager, worker: workerName, url });
      if (this.#stopsWhenStarted) this.#sendStop(client);
    } else if (url !== null && url !== before.url) this.#world.onEvent({ event: "url", url });
  }

  async #requestStop(client: GearmanClient, submission: Submission): Promise<void> {
    if (this.#reading.number !== null) return this.#sendStop(client);
    const handle = await submission.handle.catch(() => undefined);
    const status = handle === undefined ? undefined : await client.status(handle);
    // Without either the connection is gone, and its end is on the way.
    if (handle === undefined || status === undefined) return;
    if (status.isKnown && !status.isRunning && this.#reading.number === null) {
      this.#tellStopping("cancel");
      if (await this.#withdraw(handle)) return;
    }
    if (this.#reading.number !== null) return this.#sendStop(client);
    this.#stopsWhenStarted = true;
    this.#tellStopping("later");
  }

  async #withdraw(handle: string): Promise<boolean> {
    const { clock, leave } = this.#world;
    this.#isWithdrawing = true;
    try {
      if (await cancelQueuedRequest(handle, { server: this.#request.server, clock, signal: leave })) {
        this.#end.resolve(renderWithdrawn(this.#reading, this.#isTimedOut));
        return true;
      }
    } catch (error) {
      // The wish to leave ends it by itself. Without an answer the build may have been taken meanwhile, so a stop is still due.
      if (!leave.aborted && !(error instanceof GearmanError)) throw error;
    }
    this.#isWithdrawing = false;
    return leave.aborted;
  }

  /** Zuul's `cancelRunningBuild`: the number goes back as it came. Whatever the manager answers, the build's own end counts. */
  #sendStop(client: GearmanClient): void {
    this.#stopsWhenStarted = false;
    const { manager, number } = this.#reading;
    if (typeof manager !== "string" || manager === "" || manager.includes("\0")) {
      this.#tellStopping("impossible");
      return;
    }
    client.submit({
      functionName: `stop:${manager}`,
      unique: randomUUID().replaceAll("-", ""),
      payload: renderPythonJson({ name: this.#request.jobName, number }),
      priority: "high",
    });
    this.#tellStopping("stop");
  }

  #tellStopping(how: "cancel" | "stop" | "later" | "impossible"): void {
    const { manager, number } = this.#reading;
    const cause = this.#world.stop.aborted ? "interrupt" : "timeout";
    this.#world.onEvent({ event: "stopping", cause, how, manager, number });
  }

  get #isTimedOut(): boolean {
    return this.#deadline.signal.aborted;
  }
}

/** The connection has no signal of its own: one that comes about after all is closed at once. */
async function connectOrGiveUp({ server }: SubmitRequest, clock: Clock, giveUp: AbortSignal): Promise<GearmanClient> {
  const connecting = connectGearmanClient({ server, clock });
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(giveUp.reason);
  giveUp.addEventListener("abort", onAbort, { once: true });
  try {
    if (giveUp.aborted) onAbort();
    return await Promise.race([connecting, givenUp]);
  } catch (error) {
    if (giveUp.aborted) {
      connecting.then(
        (client) => client.stop(),
        () => undefined,
      );
    }
    throw error;
  } finally {
    giveUp.removeEventListener("abort", onAbort);
  }
}
