import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { linesJson } from "../../../../src/web/logs/line-json.ts";
import { LOG_START } from "../../../../src/web/logs/log-lines.ts";
import { findFirstError, searchLog } from "../../../../src/web/logs/log-search.ts";
import { parsePosition, readTail, readWindow, renderPosition } from "../../../../src/web/logs/log-window.ts";
import type { ReadableLog } from "../../../../src/web/logs/readable-log.ts";
import { GrownLog } from "../../../support/pages/grown-log.ts";

const SIGNAL = new AbortController().signal;

function numbered(count: number, from = 1): string {
  return Array.from({ length: count }, (_, index) => `line ${from + index}\n`).join("");
}

const textOf = ({ pieces }: { pieces: readonly (readonly [string, string?])[] }) => pieces.map(([text]) => text).join("");

describe("a window of a log", () => {
  test("holds the lines that were asked for, wherever they are in 10 MB", async () => {
    const log = new GrownLog(numbered(800_000));
    for (const from of [1, 2, 9_999, 400_001, 799_990]) {
      log.reads = 0;
      const { lines, total } = await readWindow(log, from, 11);
      assert.deepEqual(
        lines.map(textOf),
        Array.from({ length: Math.min(11, 800_001 - from) }, (_, index) => `line ${from + index}`),
      );
      assert.deepEqual([lines[0]?.number, total, log.reads <= 2], [from, 800_000, true]);
    }
  });

  test("of the end holds the last lines, one without its newline too", async () => {
    const log = new GrownLog(`${numbered(1000)}no end`);
    const { lines } = await readTail(log, 3);
    assert.deepEqual(lines.map(textOf), ["line 999", "line 1000", "no end"]);
    assert.deepEqual(
      lines.map(({ isOpen }) => isOpen),
      [false, false, true],
    );
    log.end();
    assert.equal((await readTail(log, 3)).lines.at(-1)?.isOpen, false);
    assert.deepEqual((await readTail(new GrownLog(), 3)).lines, []);
  });

  test("shows the head of a line of megabytes, says what it leaves out, and goes on behind it", async () => {
    const log = new GrownLog(`a\n${"x".repeat(3_000_000)}\nb\n`);
    const { lines } = await readWindow(log, 1, 10);
    assert.deepEqual(
      lines.map(({ number }) => number),
      [1, 2, 3],
    );
    assert.deepEqual([textOf(lines[1] as never).length, textOf(lines[2] as never)], [8192, "b"]);
    assert.ok((lines[1]?.omitted ?? 0) > 0);
  });

  test("comes to its end where reads are short", async () => {
    const whole = new GrownLog(`${"x".repeat(100_000)}\nend\n`);
    const short: ReadableLog = {
      snapshot: () => whole.snapshot(),
      read: (offset, maxBytes) => whole.read(offset, Math.min(maxBytes, 1000)),
      points: () => whole.points(),
      changed: (signal) => whole.changed(signal),
    };
    assert.deepEqual(
      (await readWindow(short, 1, 10)).lines.map(({ number }) => number),
      [1, 2],
    );
  });

  test("says a hole once, between the lines around it", async () => {
    const log = new GrownLog(numbered(10));
    log.hole("2026-11-28T09:50:00Z");
    log.print(numbered(10, 11));
    const places = async (from: number, count: number) => linesJson(await readWindow(log, from, count)).notes.map(({ before }) => before);
    assert.deepEqual(
      [await places(1, 20), await places(1, 10), await places(11, 10), await places(1, 5), await places(12, 5)],
      [[11], [], [11], [], []],
    );
  });

  test("says where the container was started again", async () => {
    const log = new GrownLog(numbered(3));
    log.startAgain(1);
    log.print(numbered(3, 4));
    const { notes } = linesJson(await readWindow(log, 1, 10));
    assert.deepEqual(
      notes.map(({ kind, before, text }) => [kind, before, text]),
      [["attempt", 4, "Here the container was started again: what comes now is printed by its run number 2."]],
    );
  });

  test("ends where a store has lost what its build says", { timeout: 5000 }, async () => {
    const whole = new GrownLog(numbered(10));
    whole.end();
    const lost: ReadableLog = {
      ...{ snapshot: () => whole.snapshot(), points: () => whole.points(), changed: (signal) => whole.changed(signal) },
      read: async (offset) => ({ offset, bytes: new Uint8Array() }),
    };
    assert.deepEqual((await readWindow(lost, 1, 10)).lines, []);
  });

  test("goes on behind a cut with the right numbers", async () => {
    const log = new GrownLog(numbered(100_000));
    log.cut(5000, 600_000);
    const { lines, notes } = await readWindow(log, 70_000, 5);
    assert.deepEqual(
      lines.map(textOf),
      [70_000, 70_001, 70_002, 70_003, 70_004].map((number) => `line ${number}`),
    );
    const all = await readWindow(log, 1, 2000);
    assert.ok(all.lines.every((line) => textOf(line).startsWith("line ") || line.number === 499));
    assert.deepEqual(
      all.notes.map(({ kind, offset }) => [kind, offset]),
      [["cut", 5000]],
    );
    assert.deepEqual(notes, []);
  });
});

describe("a position", () => {
  test("is what was written, and the beginning for anything else", () => {
    for (const position of [LOG_START, { offset: 12, line: 3, isInside: true }])
      assert.deepEqual(parsePosition(renderPosition(position)), position);
    for (const text of [undefined, "", "x", "1", "-1.2", "1.2.3", "9".repeat(40)]) assert.deepEqual(parsePosition(text), LOG_START);
  });
});

describe("a search", () => {
  test("finds lines in any case, with their numbers, each once", async () => {
    const log = new GrownLog(`${numbered(50_000)}the Needle needle\n${numbered(50_000)}\x1b[31mNEE\x1b[0mDLE not\nNEEDLE\n`);
    const { lines, next } = await searchLog(log, "needle", LOG_START, SIGNAL);
    assert.deepEqual([lines.map(({ number }) => number), next], [[50_001, 100_003], undefined]);
  });

  test("goes on where its list was full", async () => {
    const log = new GrownLog("a\n".repeat(450));
    const numbers: number[] = [];
    let from: typeof LOG_START | undefined = LOG_START;
    for (let count = 0; from && count < 5; count += 1) {
      const result = await searchLog(log, "a", from, SIGNAL);
      numbers.push(...result.lines.map(({ number }) => number));
      from = result.next;
    }
    assert.deepEqual(
      numbers,
      Array.from({ length: 450 }, (_, index) => index + 1),
    );
  });

  for (const [line, isError] of [
    ["E   AssertionError: 1 != 2", true],
    ["FAILED tests/a.py::b", true],
    ["main.c:3:1: error: expected ;", true],
    ["Traceback (most recent call last):", true],
    ["npm ERR! code 1", true],
    ["ERRORS: 0", false],
    ["FAILED=0", false],
    ["copying src/error.py", false],
    ["test_error_handling ok", false],
  ] as const) {
    test(`for the first error ${isError ? "finds" : "passes over"} ${line}`, async () => {
      const log = new GrownLog(`fine\n${line}\n`);
      const { lines } = await findFirstError(log, LOG_START, SIGNAL);
      assert.deepEqual(
        lines.map(({ number }) => number),
        isError ? [2] : [],
      );
    });
  }
});
