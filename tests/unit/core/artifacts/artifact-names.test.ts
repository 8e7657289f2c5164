import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ARTIFACT_LIMITS } from "../../../../src/core/artifacts/artifact-limits.ts";
import { ArtifactNames, printableName } from "../../../../src/core/artifacts/artifact-names.ts";
import { checkStorePath } from "../../../support/artifacts/store-path.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";

function take(...names: string[]): string[] {
  const taken = new ArtifactNames(ARTIFACT_LIMITS);
  return names.map((name) => {
    const one = taken.take(name);
    return "path" in one ? one.path : `- ${one.why}`;
  });
}

describe("the name of a directory entry", () => {
  const NAMES: [string, Buffer, string][] = [
    ["plain", Buffer.from("log.txt"), "log.txt"],
    ["of any script, with blanks and a percent sign", Buffer.from("Größe 100% 日本.txt"), "Größe 100% 日本.txt"],
    ["with a newline", Buffer.from("a\nb"), "a%0Ab"],
    ["with an escape sequence", Buffer.from("\x1b[31mred"), "%1B[31mred"],
    ["that turns the direction of text", Buffer.from("a\u202Egpj.exe"), "a%E2%80%AEgpj.exe"],
    ["with a backslash", Buffer.from("..\\up"), "..%5Cup"],
    ["that is no UTF-8", Buffer.from([0x61, 0xff, 0x25]), "a%FF%25"],
  ];
  for (const [what, raw, expected] of NAMES) test(`${what}: ${expected}`, () => assert.equal(printableName(raw), expected));
});

describe("an artifact's path", () => {
  test("stays below its directory", () => {
    for (const name of ["../a", "a/../../b", "/etc/passwd", "a//b", "./a", "a/.", "..", ".", "a/"]) {
      assert.deepEqual(take(name), ["- its path leaves its directory"], name);
    }
  });

  test("is no other file's, not even where case makes no difference", () => {
    assert.deepEqual(take("a/Log.txt", "a/log.txt", "A/LOG.TXT", "a/log.txt"), ["a/Log.txt", "a/log~2.txt", "A/LOG~3.TXT", "a/log~4.txt"]);
    assert.deepEqual(take("x~2", "X", "x", ".rc", ".RC"), ["x~2", "X", "x~3", ".rc", ".RC~2"]);
    // One character or two, full width or not.
    assert.deepEqual(take("\u00e9", "e\u0301", "a.", "a"), ["\u00e9", "e\u0301~2", "a.", "a~2"]);
  });

  test("is not in a file, nor a directory's", () => {
    const both = "- a file and a directory have its name";
    assert.deepEqual(take("a", "a/b", "A/c", "d/e", "D", "d/e/f"), ["a", both, both, "d/e", both, both]);
  });

  test("has limits", () => {
    const long = `${"d".repeat(190)}/${"e".repeat(190)}`;
    assert.deepEqual(take("n".repeat(201), "ü".repeat(101), long, Array(33).fill("d").join("/")), [
      "- a name of more than 200 bytes",
      "- a name of more than 200 bytes",
      "- a path of more than 350 bytes",
      "- deeper than 32 directories",
    ]);
    const few = new ArtifactNames({ ...ARTIFACT_LIMITS, files: 2 });
    assert.deepEqual([few.take("a"), few.take("a"), few.take("b")], [{ path: "a" }, { path: "a~2" }, { why: "more than 2 files" }]);
  });

  test("takes no more memory for directories than for files", () => {
    const few = new ArtifactNames({ ...ARTIFACT_LIMITS, files: 4 });
    const names = ["a/b/c/1", "a/b/c/2", "x/y/z/3", "a/b/4", "x/5"];
    const refused = { why: "more than 4 directories" };
    assert.deepEqual(
      names.map((name) => few.take(name)),
      [{ path: "a/b/c/1" }, { path: "a/b/c/2" }, refused, { path: "a/b/4" }, { path: "x/5" }],
    );
  });

  test("of any names is a store's, and each is another", (context) => {
    const part = fc.oneof(
      fc.constantFrom("a", "A", "..", ".", "", "a~2", "b.txt", "B.txt", "%0A", "\\", "\n", "\u202e", "\ud800", "ﬁ", "fi", "ß", "SS"),
      fc.string({ unit: "binary", maxLength: 8 }),
    );
    const names = fc.array(
      fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(names, (all) => {
        const taken = new ArtifactNames(ARTIFACT_LIMITS);
        const paths = all.flatMap((name) => {
          const one = taken.take(name);
          return "path" in one ? [one.path] : [];
        });
        for (const path of paths) checkStorePath(`build/artifacts/${path}`);
        const folded = paths.map((path) => path.toLowerCase());
        assert.equal(new Set(folded).size, folded.length);
        for (const path of folded) assert.ok(!folded.some((other) => other.startsWith(`${path}/`)), path);
      }),
      fuzzParameters(context, 500),
    );
  });
});
