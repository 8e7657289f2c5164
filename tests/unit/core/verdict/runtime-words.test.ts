import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { rolesOfTemplate } from "../../../../src/core/kubernetes/container-roles.ts";
import { observeBuild } from "../../../../src/core/observation/build-state.ts";
import { observeTrouble } from "../../../../src/core/observation/waiting-trouble.ts";
import { judge } from "../../../../src/core/verdict/verdict.ts";
import { RUNTIME_WORDS, type RuntimeWords } from "../../../fixtures/runtime-words.ts";
import { makeEvent, makeJob, makePod, terminated, waiting } from "../../../support/objects/build-objects.ts";

function judgeWords({ as, message, memory }: RuntimeWords, standsMs: number) {
  const statuses =
    "waiting" in as
      ? [waiting("test", as.waiting, message)]
      : "event" in as
        ? [waiting("test", "ContainerCreating")]
        : [terminated("test", 128, { reason: as.terminated, message })];
  const limits = memory === undefined ? {} : { resources: { limits: { memory } } };
  const pod = makePod({
    spec: { containers: [{ name: "test", ...limits }] },
    status: { phase: "terminated" in as ? "Failed" : "Pending", containerStatuses: statuses },
  });
  const state = observeBuild(makeJob(), [pod], rolesOfTemplate(pod.spec), () => undefined);
  const trouble = observeTrouble(state, "event" in as ? [makeEvent(as.event, message)] : []);
  return judge({
    state,
    end: undefined,
    limits: { run: "1h", runMs: 3_600_000 },
    stateMs: standsMs,
    trouble: trouble && { trouble, standsMs },
  });
}

describe("what a runtime said is taken for", () => {
  for (const words of RUNTIME_WORDS) {
    test(`${words.rule ?? "nothing final"}: ${words.source}`, () => {
      const verdict = judgeWords(words, 600_000);
      assert.deepEqual([verdict?.rule, verdict?.result], [words.rule, words.result]);
    });
  }

  test("nothing final while a container waits for less than half a minute, or a right to pull for less than three", () => {
    for (const words of RUNTIME_WORDS.filter(({ as }) => !("terminated" in as))) {
      assert.equal(judgeWords(words, 29_000), undefined, words.source);
      if (words.rule === "image-denied") assert.equal(judgeWords(words, 179_000), undefined, words.source);
    }
  });
});

describe("an image pull that backs off without saying why, as before Kubernetes 1.31,", () => {
  const pod = makePod({
    status: { phase: "Pending", containerStatuses: [waiting("test", "ImagePullBackOff", 'Back-off pulling image "pyhton:3.12"')] },
  });
  const state = observeBuild(makeJob(), [pod], rolesOfTemplate(pod.spec), () => undefined);

  test("is what the Event of the pull says, of the same image and the newest", () => {
    const denied =
      "rpc error: code = Unknown desc = failed to pull: pull access denied, repository does not exist or may require authorization";
    const events = [
      makeEvent("Failed", `Failed to pull image "pyhton:3.12": ${denied}`, "2026-01-01T00:02:00Z"),
      makeEvent("Failed", 'Failed to pull image "pyhton:3.12": 429 Too Many Requests', "2026-01-01T00:01:00Z"),
      makeEvent("Failed", 'Failed to pull image "db:1": manifest unknown', "2026-01-01T00:03:00Z"),
    ];
    assert.equal(observeTrouble(state, events)?.rule, "image-denied");
  });

  test("waits when there is no such Event", () => assert.equal(observeTrouble(state, []), undefined));
});
