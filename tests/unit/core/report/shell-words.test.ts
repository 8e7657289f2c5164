import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { asciiJson, shellWord } from "../../../../src/core/report/shell-words.ts";

const HOSTILE = [
  ...["plain", "", "two words", "it's", "$(touch /tmp/x)", "`id`", "a\nb", "a\r\x03\x1b[201~;id", "\\'$'\\n'", "--env=A=$HOME"],
  ...["\u202eevil \u{1f600} ü", "!history", "~", "*", "a;b&c|d>e"],
];

describe("a word of a shell", () => {
  test("is the very text, for bash, whatever it holds", () => {
    const script = `for word in ${HOSTILE.map(shellWord).join(" ")}; do printf '%s\\0' "$word"; done`;
    const { stdout } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
    assert.deepEqual(stdout.split("\0").slice(0, -1), HOSTILE);
  });

  test("holds no key that a terminal would take for one", () => {
    for (const text of HOSTILE) assert.match(shellWord(text), /^[\x20-\x7e\n]+$/);
  });
});

describe("JSON in a here-document", () => {
  test("comes through a shell as it is, and no line of it ends the document", () => {
    const value = { text: HOSTILE, delimiter: "\nEND_OF_JOB\n", END_OF_JOB: "x" };
    const { stdout } = spawnSync("bash", ["-c", `cat <<'END_OF_JOB'\n${asciiJson(value)}\nEND_OF_JOB`], { encoding: "utf8" });
    assert.deepEqual(JSON.parse(stdout), value);
  });
});
