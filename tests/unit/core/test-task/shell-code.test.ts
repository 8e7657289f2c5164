import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readShellCode } from "../../../../src/core/test-task/shell-code.ts";

/** The numbers of lines that have code, and that code with one blank for several; a text between quotation marks is `_ _`. */
const ROWS: [what: string, script: string, lines: [number, string][]][] = [
  ["a text with a quotation mark in it", 'echo "a \\" [[ b" c', [[1, "echo _ _ c"]]],
  ["a text whose last letter is a backslash", "echo 'a\\' b", [[1, "echo _ _ b"]]],
  ["short texts", `echo "a" 'b' c`, [[1, "echo _ _ _ _ c"]]],
  [
    "a text over two lines",
    'echo "a\n# b" c\nd',
    [
      [1, "echo _ _ c"],
      [3, "d"],
    ],
  ],
  ["a quotation mark after a backslash", "echo \\' [[ \\\\ c", [[1, "echo _ [[ _ c"]]],
  [
    "a line that goes on",
    "a \\\n  b\nc",
    [
      [1, "a b"],
      [3, "c"],
    ],
  ],
  [
    "a line that goes on after a pipe, with a blank behind",
    "a | \n  b\nc",
    [
      [1, "a | b"],
      [3, "c"],
    ],
  ],
  ["a line that goes on after &&", "a &&\nb", [[1, "a && b"]]],
  [
    "a pipe within a line",
    "a | b\nc",
    [
      [1, "a | b"],
      [2, "c"],
    ],
  ],
  [
    "a comment",
    "a # b\n# c\n(# d",
    [
      [1, "a"],
      [2, ""],
      [3, "("],
    ],
  ],
  ["a number sign within a word", "echo a#b c", [[1, "echo a#b c"]]],
  [
    "a here-document",
    "cat <<E | wc\n[[\nE\nmake",
    [
      [1, "cat << | wc"],
      [4, "make"],
    ],
  ],
  [
    "one whose end only looks like it",
    "cat <<E\nE\t\n[[\nE\nmake",
    [
      [1, "cat <<"],
      [5, "make"],
    ],
  ],
  [
    "one whose end is far to the right",
    "cat <<-E\n[[\n\t\tE\nmake",
    [
      [1, "cat <<"],
      [4, "make"],
    ],
  ],
  [
    "one whose end is quoted",
    "cat <<'E F' <<\\G\n[[\nE F\nG\nmake",
    [
      [1, "cat << <<"],
      [5, "make"],
    ],
  ],
  [
    "one whose end is quoted doubly",
    'cat <<"E F"\n[[\nE F\nmake',
    [
      [1, "cat <<"],
      [4, "make"],
    ],
  ],
  [
    "one behind a shift",
    "cat $((1 << 2)) <<E\n[[\nE\nmake",
    [
      [1, "cat $((1 << 2)) <<"],
      [4, "make"],
    ],
  ],
  [
    "one that begins within a text of two lines",
    'cat <<E "a\nb"\n[[\nE\nmake',
    [
      [1, "cat << _ _"],
      [5, "make"],
    ],
  ],
  [
    "a here-string",
    "grep x <<<word\nmake",
    [
      [1, "grep x <<<word"],
      [2, "make"],
    ],
  ],
  [
    "a shift",
    "echo $((1 << 4)) c\nmake",
    [
      [1, "echo $((1 << 4)) c"],
      [2, "make"],
    ],
  ],
  [
    "a file that is read",
    "sort <a b\nmake",
    [
      [1, "sort <a b"],
      [2, "make"],
    ],
  ],
];

describe("the code of a shell script with", () => {
  for (const [what, script, lines] of ROWS) {
    test(what, () => {
      const read = readShellCode(script).map(({ line, code }) => [line, code.replace(/\s+/g, " ").trim()]);
      assert.deepEqual(read, lines);
    });
  }

  test("a text has as many blanks as the text has letters", () => assert.equal(readShellCode('a "bcd" e')[0]?.code, "a _   _ e"));
});
