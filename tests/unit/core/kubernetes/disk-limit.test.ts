import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ownDiskLimit } from "../../../../src/core/kubernetes/disk-limit.ts";

/** In the form of pkg/kubelet/eviction/helpers.go. */
const ROWS: [message: string, limit: string | undefined][] = [
  ['Usage of EmptyDir volume "data" exceeds the limit "1.25Gi". ', "1.25Gi"],
  ["Pod ephemeral local storage usage exceeds the total limit of containers 1.25Gi. ", "1.25Gi"],
  ['Container test exceeded its local ephemeral storage limit "20Mi". ', "20Mi"],
  ["Container test exceeded its local ephemeral storage limit 1073741824. ", "1073741824"],
  ["The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 900Mi. ", undefined],
  ['Container test was using 5Gi, request is 0. Usage of EmptyDir volume "data" exceeds the limit "1Gi". ', undefined],
];

describe("an eviction is for the pod's own limit or its node's sake:", () => {
  for (const [message, limit] of ROWS) {
    test(message, () => assert.equal(ownDiskLimit(message), limit && `FAILURE - out of disk (limit ${limit})`));
  }
});
