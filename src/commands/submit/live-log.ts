import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import { within } from "../../runtime/within.ts";
import { BuildApi } from "../build-api/build-api.ts";
import { placeOfPage } from "../build-api/build-place.ts";
import { readLog } from "../build-api/log-reader.ts";
import { renderTerminalLine, renderTerminalNote } from "../build-api/terminal-line.ts";

const LOOK_MS = 1000;
/** What is left of the log when the result is there already. */
const LAST_LINES_MS = 5000;

interface LiveLogOptions {
  clock: Clock;
  hasColours: boolean;
  print(line: string): void;
  /** The log is not shown: why. */
  onProblem(message: string): void;
}

/**
 * The log of a build beside what else is told of it: each line of it after a bar, so that nothing that a test prints can be taken for words of
 * this program. That it can't be had is told once, and changes nothing else.
 */
export class LiveLog {
  readonly #options: LiveLogOptions;
  readonly #leaving = new AbortController();
  #following: Promise<void> | undefined;

  constructor(options: LiveLogOptions) {
    this.#options = options;
  }

  /** `url` is the build's page; one that is no page of this program's is left alone. */
  begin(url: string): void {
    const place = placeOfPage(url);
    if (place) this.#following ??= this.#follow(new BuildApi(place, this.#leaving.signal));
  }

  /** The build has ended. Resolves when its last lines are printed, or after some seconds. */
  async end(): Promise<void> {
    if (this.#following !== undefined) await within(LAST_LINES_MS, this.#following, this.#options.clock);
    await this.leave();
  }

  async leave(): Promise<void> {
    this.#leaving.abort();
    await this.#following;
  }

  async #follow(api: BuildApi): Promise<void> {
    const { clock, hasColours, print, onProblem } = this.#options;
    const { signal } = this.#leaving;
    try {
      const container = await this.#awaitLog(api);
      if (container === undefined) return;
      for await (const items of readLog(api, { container, isFollowed: true, clock, signal })) {
        for (const item of items) {
          if (item.kind === "line") print(`  | ${renderTerminalLine(item.line, hasColours)}`);
          else print(`  (${renderTerminalNote(item.text, false)})`);
        }
      }
    } catch (error) {
      if (!signal.aborted) onProblem(`the log is not shown: ${coerceError(error).message}`);
    }
  }

  async #awaitLog(api: BuildApi): Promise<string | undefined> {
    for (;;) {
      const { logs, standing, members } = await api.build();
      if (members) {
        this.#options.print(`  (runs on ${members.length} datasets; turbo-hipster logs NUMBER prints the log of one)`);
        for (const { dataset, number } of members) this.#options.print(`  (${dataset}: ${number})`);
        return undefined;
      }
      if (logs[0] !== undefined || standing === "ended") return logs[0];
      await this.#options.clock.sleep(LOOK_MS, this.#leaving.signal);
    }
  }
}
