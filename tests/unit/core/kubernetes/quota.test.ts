import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isQuotaExceeded, isQuotaFull, quotaExcess } from "../../../../src/core/kubernetes/quota.ts";

describe("a quota", () => {
  const says = (requested: string, used: string, limited: string) =>
    `create pods ci/a: pods "a" is forbidden: exceeded quota: builds, requested: ${requested}, used: ${used}, limited: ${limited} (Forbidden, 403)`;

  test("that is used up is full: it empties by itself", () => {
    assert.equal(isQuotaFull(says("pods=1", "pods=5", "pods=5")), true);
    assert.equal(
      isQuotaFull(says("limits.cpu=500m,limits.memory=2Gi", "limits.cpu=2,limits.memory=7Gi", "limits.cpu=2,limits.memory=8Gi")),
      true,
    );
  });

  test("whose limit is below what one build asks for is none that could ever be met", () => {
    assert.equal(isQuotaFull(says("limits.memory=2Gi", "limits.memory=0", "limits.memory=1Gi")), false);
    assert.equal(
      isQuotaFull(says("limits.cpu=1,limits.memory=2Gi", "limits.cpu=4,limits.memory=0", "limits.cpu=4,limits.memory=2047Mi")),
      false,
    );
  });

  test("that counts objects and lets none be made is full, as somebody closes a namespace for a while", () => {
    for (const count of ["count/jobs.batch", "pods", "count/pods"]) {
      assert.equal(isQuotaFull(says(`${count}=1`, `${count}=0`, `${count}=0`)), true, count);
      assert.equal(isQuotaFull(says(`${count}=2`, `${count}=0`, `${count}=1`)), false, count);
      assert.equal(isQuotaFull(says(`${count}=1,limits.cpu=4`, `${count}=0,limits.cpu=0`, `${count}=0,limits.cpu=2`)), false, count);
    }
    assert.equal(isQuotaFull(says("limits.cpu=1", "limits.cpu=0", "limits.cpu=0")), false);
    assert.equal(isQuotaFull(says("requests.storage.pods=1", "requests.storage.pods=0", "requests.storage.pods=0")), false);
  });

  test("says what is more than it would ever allow, and nothing else of what is requested", () => {
    assert.equal(
      quotaExcess(
        says(
          "limits.cpu=4,limits.memory=2Gi,pods=1,requests.storage=1",
          "limits.cpu=0,limits.memory=0,pods=0",
          "limits.cpu=2,limits.memory=1Gi,pods=1",
        ),
      ),
      "more than quota builds allows - limits.cpu 4 is requested, the limit is 2, limits.memory 2Gi is requested, the limit is 1Gi",
    );
    assert.equal(
      quotaExcess(says("gold/requests.nvidia.com/gpu=8", "gold/requests.nvidia.com/gpu=0", "gold/requests.nvidia.com/gpu=4")),
      "more than quota builds allows - gold/requests.nvidia.com/gpu 8 is requested, the limit is 4",
    );
    assert.equal(quotaExcess(says("pods=1", "pods=5", "pods=5")), undefined);
    assert.equal(quotaExcess(says("pods", "pods", "pods")), undefined);
    assert.equal(quotaExcess("violates PodSecurity"), undefined);
  });

  test("that refuses is exceeded, full or too small", () => {
    assert.equal(isQuotaExceeded(says("pods=1", "pods=5", "pods=5")), true);
    assert.equal(isQuotaExceeded(says("count/jobs.batch=1", "count/jobs.batch=0", "count/jobs.batch=0")), true);
    assert.equal(isQuotaExceeded('pods "a" is forbidden: failed quota: builds: must specify limits.memory for: test'), false);
  });

  test("that wants limits to be given is no full quota, nor is anything else", () => {
    assert.equal(isQuotaFull('pods "a" is forbidden: failed quota: builds: must specify limits.memory for: test'), false);
    assert.equal(isQuotaFull("violates PodSecurity"), false);
  });
});
