import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterPaths } from "../../../../deploy/local/cluster-paths.ts";

const LONGEST = "a".repeat(32);

test("the longest name keeps within what the kernel allows for sockets and interfaces", () => {
  const paths = clusterPaths(LONGEST);
  // The kubelet and containerd make sockets of their own below the directory.
  assert.ok(`${paths.containerdSocket}.ttrpc`.length <= 107);
  assert.ok(paths.hostInterface.length <= 15);
});

test("two names share nothing", () => {
  const [one, other] = [clusterPaths("a"), clusterPaths("b")];
  for (const key of Object.keys(one) as (keyof typeof one)[]) assert.notEqual(one[key], other[key], key);
});

test("a name that would leave its directory, or be no name of a node, is refused", () => {
  for (const name of ["", "..", "a/b", "-a", "a-", "A", "a.b", "a b", `${LONGEST}a`]) {
    assert.throws(() => clusterPaths(name), /is no name for a cluster/, name);
  }
});
