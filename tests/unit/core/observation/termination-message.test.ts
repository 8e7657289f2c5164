import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { withoutScrap } from "../../../../src/core/observation/termination-message.ts";

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
