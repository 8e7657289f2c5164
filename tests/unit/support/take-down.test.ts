import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { takeAllDown } from "../../support/take-down.ts";

describe("what was started for tests", () => {
  test("is taken down whatever becomes of the first, and what is left is told", async () => {
    const tried: string[] = [];
    const lines: string[] = [];
    const takeDown = async (name: string) => {
      tried.push(name);
      if (name === "a") throw new Error("busy");
    };
    assert.equal(await takeAllDown(["a", "b"], takeDown, (line) => lines.push(line)), false);
    assert.deepEqual([tried, lines], [["a", "b"], ["could NOT take down a: busy"]]);
    assert.equal(await takeAllDown(["b"], takeDown, assert.fail), true);
  });
});
