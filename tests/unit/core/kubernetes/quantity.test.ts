import assert from "node:assert/strict";
import test from "node:test";
import { compareQuantities, isQuantity } from "../../../../src/core/kubernetes/quantity.ts";

test("quantities are recognised as Kubernetes does", () => {
  for (const quantity of [
    0,
    2,
    "2",
    "500m",
    "1.5",
    ".5",
    "1.",
    "1Gi",
    "1e3",
    "1e10",
    "1E-3",
    "0.1n",
    "9Ei",
    "9".repeat(40),
    `.${"9".repeat(39)}`,
  ])
    assert.equal(isQuantity(quantity), true, String(quantity));
  for (const quantity of [-1, "-1", "", "Gi", "1 Gi", "1gi", "1KB", "1e", ".", "1e3Ki", "9".repeat(60), `.${"9".repeat(41)}`])
    assert.equal(isQuantity(quantity), false, String(quantity));
});

test("quantities are compared by amount, whatever their notation", () => {
  assert.equal(compareQuantities("1024Mi", "1Gi"), 0);
  assert.equal(compareQuantities("1Ki", 1024), 0);
  assert.equal(compareQuantities("1Ei", "1152921504606846976"), 0);
  assert.equal(compareQuantities("1E", "1000P"), 0);
  assert.equal(compareQuantities(1, "1000m"), 0);
  assert.ok(compareQuantities("1Gi", "1G") > 0);
  assert.ok(compareQuantities("999m", 1) < 0);
  assert.ok(compareQuantities("1e-9", "1n") === 0);
  assert.equal(compareQuantities("1.5", "1500m"), 0);
  assert.equal(compareQuantities("1u", "1000n"), 0);
  assert.ok(compareQuantities("1.05", "1.5") < 0);
});

test("what is no quantity is neither more nor less than any", () => {
  assert.equal(compareQuantities("much", 1), 0);
  assert.equal(compareQuantities(1, "much"), 0);
});
