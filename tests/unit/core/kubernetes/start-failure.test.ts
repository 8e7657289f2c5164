import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { judgeRuntimeWords, startFailure } from "../../../../src/core/kubernetes/start-failure.ts";

const NOT_FOUND = 'exec: "x": executable file not found in $PATH';

describe("a container that was not started", () => {
  for (const reason of ["StartError", "ContainerCannotRun", "RunContainerError"]) {
    test(`ends with ${reason}`, () => {
      const failure = startFailure(
        { exitCode: 128, reason, message: `unable to start container process: ${NOT_FOUND}: unknown` },
        undefined,
      );
      assert.deepEqual(failure, { cause: NOT_FOUND, isConfiguration: true });
    });
  }

  test("is none that ended for another reason, whatever it said", () => {
    for (const reason of ["Completed", "Error"])
      assert.equal(startFailure({ exitCode: 127, reason, message: NOT_FOUND }, undefined), undefined);
  });
});

test("a command that crun does not find is told without its reasons", () => {
  const words = "container create failed: executable file `x` not found: No such file or directory";
  assert.deepEqual(judgeRuntimeWords(words, undefined), { cause: "executable file `x` not found", isConfiguration: true });
});

describe("what a hook prints is the node's:", () => {
  for (const hook of ["running hook", "running prestart hook", "executing createRuntime hook", "hook 3", "hook #12", "Hook #0"]) {
    test(hook, () => {
      const said = `error ${hook}: ${NOT_FOUND}`;
      assert.deepEqual(judgeRuntimeWords(said, undefined), { cause: said, isConfiguration: false });
    });
  }
});

describe("of what a runtime says the part that says why is kept:", () => {
  const rows: [string, string][] = [
    ["OCI runtime create failed: runc create failed: unable to start container process: no space left: unknown", "no space left"],
    ['OCI runtime create failed: container_linux.go:345: starting container process caused "no space left": unknown', "no space left"],
    [
      "starting container process caused: process_linux.go:495: container init caused: process_linux.go:58: container init caused: no space",
      "no space",
    ],
    [
      "unable to start container process: error during container init: no such device: unknown device: unknown",
      "no such device: unknown device",
    ],
    ['level=error msg="runc create failed: unable to start container process: no space left"\n', "no space left"],
    ['unable to start container process: cannot mount "/a"', 'cannot mount "/a"'],
    ["rpc error: container create failed: no space left\n", "no space left"],
    ["container create failed: 2021-03-23T08:47:08.000722463Z: no space left", "no space left"],
    ["  ", "the runtime gave no reason"],
  ];
  for (const [message, cause] of rows) {
    test(message, () => assert.deepEqual(judgeRuntimeWords(message, undefined), { cause, isConfiguration: false }));
  }
});
