import assert from "node:assert/strict";
import { it } from "node:test";
import { compareResourceVersions } from "../../../../src/kube/watch/resource-version.ts";

it("versions are compared as numbers of any length; what is no number can't be compared but with itself", () => {
  const sign = (a: string, b: string) => {
    const order = compareResourceVersions(a, b);
    return order === undefined ? undefined : Math.sign(order);
  };
  assert.deepEqual([sign("9", "10"), sign("10", "9"), sign("10", "10")], [-1, 1, 0]);
  assert.deepEqual([sign("99999999999999999998", "99999999999999999999"), sign("100000000000000000000", "99999999999999999999")], [-1, 1]);
  assert.deepEqual([sign("", "1"), sign("abc", "abd"), sign("01", "1"), sign("x", "x")], [undefined, undefined, undefined, 0]);
});
