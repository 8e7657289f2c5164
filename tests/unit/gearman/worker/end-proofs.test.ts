import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EndProofs } from "../../../../src/gearman/worker/end-proofs.ts";

describe("the proof that a server has read an end", () => {
  test("is the answer to the GRAB that went out after it, once", () => {
    for (const isProven of [true, false]) {
      const proofs = new EndProofs();
      const proven: boolean[] = [];
      proofs.awaitGrab((is) => proven.push(is));
      assert.equal(proofs.areAsked, false, "the GRAB itself keeps none back");
      proofs.noteGrab(isProven);
      proofs.noteGrab(!isProven);
      assert.deepEqual(proven, [isProven]);
    }
  });

  test("is the answer to a question of its own; until all are answered no GRAB is to be sent", () => {
    const proofs = new EndProofs();
    const proven: string[] = [];
    const first = proofs.ask((is) => proven.push(`first ${is}`));
    const second = proofs.ask((is) => proven.push(`second ${is}`));
    assert.equal(proofs.areAsked, true);
    first(true);
    assert.equal(proofs.areAsked, true);
    second(false);
    assert.deepEqual([proofs.areAsked, proven], [false, ["first true", "second false"]]);
  });

  test("may set off the next end, which waits for the next GRAB", () => {
    const proofs = new EndProofs();
    const proven: number[] = [];
    proofs.awaitGrab(() => {
      proven.push(1);
      proofs.awaitGrab(() => proven.push(2));
    });
    proofs.noteGrab(true);
    assert.deepEqual(proven, [1]);
    proofs.noteGrab(true);
    assert.deepEqual(proven, [1, 2]);
  });
});
