import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BuildFile, parseBuildFile, renderBuildFile, storedPoints } from "../../../../src/core/logs/build-file.ts";
import { DETAILS, sampleBuild } from "../../../support/pages/sample-pages.ts";

const FILE: BuildFile = {
  ...{ version: 1, build: sampleBuild(), details: DETAILS, attempt: 2 },
  containers: [{ name: "test", image: "python:3.12", imageId: "python@sha256:1", exitCode: 1, reason: "Error" }],
  commits: [{ project: "p", ref: "refs/zuul/master/Z1", commit: "abc", subject: "[\n  1,\n  2\n]", url: "https://example.org/p" }],
  logs: [
    {
      ...{ container: "test", file: "console.log", bytes: 30, holes: [{ offset: 3, after: "2026-11-28T10:00:00Z" }] },
      ...{ runs: [{ offset: 0, at: 0, bytes: 30 }], attempts: [{ offset: 9, attempt: 1 }] },
      points: [
        [0, 0],
        [12, 3],
      ],
    },
  ],
  artifacts: { files: [{ path: "a.txt", bytes: 1 }], bytes: 1, leftOut: [], leftOutCount: 0 },
  problems: ["a sentence."],
};

describe("build.json", () => {
  test("says again what was written, and keeps its points short", () => {
    const text = renderBuildFile(FILE);
    assert.match(text, /^ {8}\[12,3\]$/m);
    assert.deepEqual(parseBuildFile(text), {
      ...FILE,
      details: { ...DETAILS, parameters: DETAILS.parameters.map(({ name, value }) => ({ name, value })) },
    });
  });

  test("is none where it leads out of its directory, or is of a later version", () => {
    const [log] = FILE.logs;
    for (const changes of [
      { version: 2 },
      { logs: [{ ...log, file: "../other.log" }] },
      { logs: [{ ...log, file: ".hidden" }] },
      { logs: [{ ...log, container: "a/b" }] },
      { build: { ...FILE.build, number: "../x" } },
    ]) {
      assert.equal(parseBuildFile(JSON.stringify({ ...FILE, ...changes })), undefined, JSON.stringify(changes));
    }
    assert.equal(parseBuildFile("{"), undefined);
  });

  test("holds about a thousand points of a long log, its first and last among them", () => {
    for (const count of [1, 2, 1024, 1025, 5000]) {
      const points = storedPoints(Array.from({ length: count }, (_, index) => ({ offset: index * 10, lines: index })));
      assert.ok(points.length <= 1024, String(points.length));
      assert.deepEqual(
        [points[0], points.at(-1)],
        [
          [0, 0],
          [(count - 1) * 10, count - 1],
        ],
        String(count),
      );
    }
  });
});
