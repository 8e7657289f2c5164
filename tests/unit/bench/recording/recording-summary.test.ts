import assert from "node:assert/strict";
import { test } from "node:test";
import { isFlat, type Recorded, renderRecorded } from "../../../bench/recording/recording-summary.ts";

const RECORDED: Recorded = {
  ...{ store: "files", what: "artifacts", bytes: 1e9, holes: 0 },
  ...{ seconds: { answered: 20.04, stored: 22 }, operatorMb: { small: 120, large: 150 }, collectorMb: 80 },
};

test("flat is a collector below 100 MB, and an operator that grows by some chunks and no more", () => {
  assert.equal(isFlat(RECORDED), true);
  assert.equal(isFlat({ ...RECORDED, collectorMb: 100 }), false);
  assert.equal(isFlat({ ...RECORDED, operatorMb: { small: 120, large: 184 } }), true);
  assert.equal(isFlat({ ...RECORDED, operatorMb: { small: 120, large: 185 } }), false);
});

test("the line names what was recorded, what it took, and whether that is little enough", () => {
  assert.equal(
    renderRecorded(RECORDED),
    "files: 1000.0 MB of artifacts; answered after 20.0 s, stored after 22.0 s; operator at most 150 MB (120 MB with a twentieth of it); collector at most 80 MB; met",
  );
  const { collectorMb: _, ...log } = { ...RECORDED, what: "log", holes: 2 } as const;
  assert.match(renderRecorded(log), /^files: 1000\.0 MB of log with 2 holes; .*; operator at most 150 MB .*; met$/);
  assert.match(renderRecorded({ ...RECORDED, collectorMb: 101 }), /MISSED: .* collector below 100 MB$/);
});
