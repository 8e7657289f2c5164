import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SharedChunks, streamLog } from "../../../../src/web/logs/log-stream.ts";
import { parsePosition } from "../../../../src/web/logs/log-window.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { GrownLog } from "../../../support/pages/grown-log.ts";

/** What comes of a stream that begins at `position`: the numbers of lines, or the event. */
function read(log: GrownLog, position: string) {
  const leaving = new AbortController();
  const events = streamLog(log, parsePosition(position), { chunks: new SharedChunks(), clock: makeManualClock(), signal: leaving.signal });
  return {
    async next(): Promise<string> {
      const { value = "" } = await events.next();
      const event = /^event: (.*)$/m.exec(value)?.[1];
      if (event !== "lines") return event ?? value;
      return JSON.parse(/^data: (.*)$/m.exec(value)?.[1] ?? "")
        .lines.map(({ line }: { line: number }) => line)
        .join(" ");
    },
    leave: () => leaving.abort(),
  };
}

describe("who comes back to a live log", () => {
  test("hears nothing twice where it is read anew and has not come so far yet", async () => {
    const log = new GrownLog("a\nb\n");
    const reader = read(log, "6.4");
    const next = reader.next();
    await log.awaited();
    log.print("c\n");
    await log.awaited();
    log.print("d\ne\n");
    assert.equal(await next, "4 5");
    log.end();
    assert.equal(await reader.next(), "end");
  });

  test("hears of the end where it ended before that", async () => {
    const log = new GrownLog("a\nb\n");
    log.end();
    assert.equal(await read(log, "6.4").next(), "end");
  });
});
