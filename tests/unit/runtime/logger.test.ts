import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { makeLogger, writeTogether } from "../../../src/runtime/logger.ts";
import { makeManualClock } from "../../support/manual-clock.ts";

function startLogging(level: "debug" | "info" | "warn") {
  const lines: Record<string, unknown>[] = [];
  const logger = makeLogger(level, { write: (text) => void lines.push(JSON.parse(text)) });
  return { logger, said: () => lines.splice(0).map(({ level: at, msg, ...rest }) => [at, msg, rest.build, rest.task]) };
}

/** `written` gives the messages of each write since it was asked last. */
function startWriting() {
  const writes: string[] = [];
  const clock = makeManualClock();
  const logger = makeLogger("info", writeTogether({ write: (text) => void writes.push(text) }, clock));
  const messagesOf = (text: string) => text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line).msg as string]));
  return { logger, clock, written: () => writes.splice(0).map(messagesOf) };
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

  test("writes all lines of a turn at once, in their order, and long ones at once", async () => {
    const { logger, written } = startWriting();
    for (const name of ["a", "b", "c"]) logger.info({}, name);
    assert.deepEqual(written(), [], "nothing while the turn goes on");
    await immediate();
    assert.deepEqual(written(), [["a", "b", "c"]]);
    logger.info({ text: "x".repeat(70_000) }, "d");
    assert.deepEqual(written(), [["d"]]);
  });

  test("writes what comes within 50 ms of the last write together, when they are over, and what comes later in its turn", async () => {
    const { logger, written, clock } = startWriting();
    logger.info({}, "a");
    await immediate();
    for (const name of ["b", "c"]) {
      logger.info({}, name);
      await immediate();
      clock.skip(24);
    }
    assert.deepEqual(written(), [["a"]]);
    clock.skip(2);
    assert.deepEqual(written(), [["b", "c"]]);
    clock.skip(50);
    logger.info({}, "d");
    await immediate();
    assert.deepEqual(written(), [["d"]]);
  });

  test("writes what is held when the process exits", () => {
    const url = new URL("../../../src/runtime/logger.ts", import.meta.url);
    const script = `import { makeLogger } from ${JSON.stringify(url.href)}; makeLogger("info").info({}, "last words"); process.exit(3);`;
    const { status, stdout } = spawnSync(process.execPath, ["--input-type=module-typescript", "--eval", script], { encoding: "utf8" });
    assert.equal(status, 3);
    assert.equal(JSON.parse(stdout).msg, "last words");
  });
});
