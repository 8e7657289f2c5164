import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MAX_PIECES, plainTerminalLine, readTerminalLine } from "../../../../src/web/logs/terminal-text.ts";

/** What a terminal would show of each. */
const LINES: Record<string, readonly (readonly [string, string?])[]> = {
  plain: [["plain"]],
  "": [],
  "\x1b[31mred\x1b[0m then": [["red", "ink-1"], [" then"]],
  "\x1b[1;32;44mbold\x1b[22m thin\x1b[39;49m": [
    ["bold", "ink-2 on-4 bold"],
    [" thin", "ink-2 on-4"],
  ],
  "\x1b[93mbright\x1b[m": [["bright", "ink-11"]],
  "\x1b[38;5;196mof 256\x1b[0m": [["of 256", "ink-9"]],
  "\x1b[38;2;0;200;0mtrue": [["true", "ink-2"]],
  "\x1b[48;5;21mblue": [["blue", "on-4"]],
  "\x1b[38;5mcut": [["cut"]],
  " 10%\r 50%\r100%": [["100%"]],
  " 10%\r 50%\r": [[" 50%"]],
  "windows\r": [["windows"]],
  "\x1b[2J\x1b[H\x1b[Kcleared\x1b[?25l": [["cleared"]],
  "\x1b]0;title\x07text": [["text"]],
  "\x1b]8;;http://evil/\x1b\\link\x1b]8;;\x1b\\": [["link"]],
  "\x1b]never ends": [["never ends"]],
  "\x1bPdevice\x1b\\after\x1bcreset": [["after"], ["reset"]],
  "a\0b\x07": [["a"], ["␀", "control"], ["b"], ["␇", "control"]],
  "a\u202eb\u200b": [["a"], ["U+202E", "control"], ["b"], ["U+200B", "control"]],
  "\x9b31mC1": [["C1", "ink-1"]],
  "tab\tstays": [["tab\tstays"]],
};

describe("a line of a log", () => {
  for (const [line, pieces] of Object.entries(LINES)) {
    test(`is shown as a terminal would: ${JSON.stringify(line)}`, () => {
      const shown = readTerminalLine(line);
      assert.equal(shown.map(([text]) => text).join(""), pieces.map(([text]) => text).join(""));
      assert.deepEqual(new Set(shown.map((piece) => piece[1])), new Set(pieces.map((piece) => piece[1])));
    });
  }

  test("is read in time in proportion to its length, whatever it holds", () => {
    const pieces = ["\x1b]", "\x1b[", "\x1bP", "\x1b[38;5;", "\r", "\x1b[1m", "\u202e", "\x90", "\x9d\x1b", "\x98a", "\x9f\x85", "\x9b"];
    for (const piece of pieces) {
      const before = process.cpuUsage();
      readTerminalLine(piece.repeat(50_000));
      const { user } = process.cpuUsage(before);
      assert.ok(user < 2_000_000, `${JSON.stringify(piece)}: ${user} µs`);
    }
  });

  test("has no more pieces than a page can hold, and nothing of it is lost or hidden", () => {
    const lines = ["a\x01".repeat(4000), "\x01".repeat(4000), "\x1b[1ma\x1b[0mb".repeat(4000), "a\u202e\x1b[31m".repeat(4000)];
    for (const line of lines) {
      const pieces = readTerminalLine(line);
      assert.ok(pieces.length <= MAX_PIECES + 2, `${pieces.length} pieces`);
      const text = pieces.map(([part]) => part).join("");
      const seen = ["\x1b[0m", "\x1b[1m", "\x1b[31m"].reduce((rest, look) => rest.replaceAll(look, ""), line);
      assert.equal(text, seen.replaceAll("\x01", "␁").replaceAll("\u202e", "U+202E"));
    }
  });

  test("is searched without its looks", () => {
    assert.equal(plainTerminalLine("\x1b[31mFA\x1b[0mILED\x1b]0;x\x07"), "FAILED");
  });
});
