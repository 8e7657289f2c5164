import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isQuotaExceeded, isQuotaFull } from "../../../../src/core/kubernetes/quota.ts";

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
    assert.equal(isQuotaFull(says("count/jobs.batch=1", "count/jobs.batch=0", "count/jobs.batch=0")), false);
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
