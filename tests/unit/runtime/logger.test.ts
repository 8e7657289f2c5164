import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeLogger } from "../../../src/runtime/logger.ts";

function startLogging(level: "debug" | "info" | "warn") {
  const lines: Record<string, unknown>[] = [];
  const logger = makeLogger(level, { write: (text) => void lines.push(JSON.parse(text)) });
  return { logger, said: () => lines.splice(0).map(({ level: at, msg, ...rest }) => [at, msg, rest.build, rest.task]) };
}

describe("the logger", () => {
  test("writes one line of JSON with the level's name, the fields of its parents and its own", () => {
    const { logger, said } = startLogging("info");
    logger.child({ build: "a-1" }).child({ task: "ci/a" }).info({}, "runs");
    assert.deepEqual(said(), [["info", "runs", "a-1", "ci/a"]]);
  });

  test("changes its level while running, and that of all its children, whenever they were made", () => {
    const { logger, said } = startLogging("info");
    const child = logger.child({ build: "a-1" }).child({});
    const speak = () => {
      for (const each of [logger, child]) {
        each.debug({}, "debug");
        each.info({}, "info");
        each.warn({}, "warn");
        each.error({}, "error");
      }
      return said().map(([level]) => level);
    };
    assert.deepEqual(speak(), ["info", "warn", "error", "info", "warn", "error"]);
    logger.level = "debug";
    assert.equal(logger.level, "debug");
    assert.deepEqual(speak(), ["debug", "info", "warn", "error", "debug", "info", "warn", "error"]);
    logger.level = "error";
    assert.deepEqual(speak(), ["error", "error"]);
  });
});
