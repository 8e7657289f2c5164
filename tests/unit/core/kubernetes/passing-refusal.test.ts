import assert from "node:assert/strict";
import { it } from "node:test";
import { isPassingRefusal } from "../../../../src/core/kubernetes/passing-refusal.ts";

const PASSES: Record<string, boolean> = {
  'jobs.batch "a" is forbidden: not yet ready to handle request': true,
  'pods "a-" is forbidden: status unknown for quota: team, resources: pods': true,
  'pods "a-" is forbidden: unable to create new content in namespace ci because it is being terminated': true,
  'pods "a-" is forbidden: unable to CREATE pods at this time because there was an error enforcing limit ranges': true,
  "jobs.batch \"a\" is forbidden: ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: no cache": true,
  'pods "a-" is forbidden: exceeded quota: team, requested: pods=1, used: pods=5, limited: pods=5': false,
  'pods "a-" is forbidden: failed quota: team: must specify limits.memory for: test': false,
  'pods "a-" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true': false,
  'pods "a-" is forbidden: maximum cpu usage per Container is 1, but limit is 2': false,
  "jobs.batch \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no": false,
};

for (const [message, passes] of Object.entries(PASSES)) {
  it(`${passes ? "passes by itself" : "is final"}: ${message}`, () => assert.equal(isPassingRefusal(message), passes));
}
