import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readTestEnd, withoutScrap } from "../../../../src/core/observation/termination-message.ts";

const pod = (containers: number, initContainers = 0) => ({
  containers: Array.from({ length: containers }, (_, index) => ({ name: `c${index}` })),
  ...(initContainers > 0 ? { initContainers: Array.from({ length: initContainers }, (_, index) => ({ name: `i${index}` })) } : {}),
});

describe("withoutScrap", () => {
  const kept: [string, string, ReturnType<typeof pod>, boolean][] = [
    ["a message below the limit", "x".repeat(4095), pod(1), true],
    ["one as long as the kubelet reads", "x".repeat(4096), pod(1), false],
    ["one that is so long in UTF-8", "試".repeat(1366), pod(1), false],
    ["one that is not", "試".repeat(1365), pod(1), true],
    ["in a pod of three", "x".repeat(4095), pod(2, 1), true],
    ["in a pod of three containers", "x".repeat(4095), pod(3), true],
    ["as long as one of four containers may have", "x".repeat(3072), pod(2, 2), false],
    ["below that", "x".repeat(3071), pod(2, 2), true],
  ];
  for (const [what, message, spec, isKept] of kept) {
    test(`${isKept ? "keeps" : "drops"} ${what}`, () => {
      const end = { exitCode: 1, reason: "Error" };
      assert.deepEqual(withoutScrap({ ...end, message }, spec), isKept ? { ...end, message } : end);
    });
  }

  test("keeps what the runtime says, however long", () => {
    const end = { exitCode: 128, reason: "StartError", message: "x".repeat(5000) };
    assert.deepEqual(withoutScrap(end, pod(1)), end);
  });
});

describe("what a script's runner says", () => {
  const end = { exitCode: 1, reason: "Error" };
  const read = (message: string | undefined, containers = 1, marked = true) => {
    const { terminated, runner } = readTestEnd({ ...end, ...(message === undefined ? {} : { message }) }, pod(containers), { marked });
    return [terminated.message, runner];
  };

  test("is parted from what the script says, once", () => {
    assert.deepEqual(read("ended 1\n"), ["", { exitCode: 1 }]);
    assert.deepEqual(read("ended 255\n3 failed\nmore"), ["3 failed\nmore", { exitCode: 255 }]);
    assert.deepEqual(read("ended 1\nended 0\n"), ["ended 0\n", { exitCode: 1 }]);
  });

  test("is nothing where it is not the whole first line", () => {
    for (const message of ["", "ended", "ended 1", "ended \n", "ended 1 \n", "ended 1 of 3\n", "\nended 1\n", "x ended 1\n", "Ended 1\n"]) {
      assert.deepEqual(read(message), [message, { exitCode: undefined }], message);
    }
    assert.deepEqual(read(undefined), [undefined, { exitCode: undefined }]);
  });

  test("is the script's own where no runner says any", () => {
    assert.deepEqual(read("ended 1\n", 1, false), ["ended 1\n", undefined]);
  });

  test("tells where the message begins, in however many containers", () => {
    const text = "x".repeat(512);
    assert.deepEqual(read(`ended 1\n${text}`.slice(0, 409), 30), [text.slice(0, 401), { exitCode: 1 }]);
    assert.deepEqual(read(text.slice(0, 409), 30), [undefined, { exitCode: undefined }]);
  });
});
