import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalRemedy } from "../../../../src/core/kubernetes/refusal-remedy.ts";

const ROWS: [what: string, message: string, remedy: RegExp | undefined][] = [
  [
    "a quota on limits",
    'pods "unit-1" is forbidden: failed quota: team: must specify limits.cpu for: checkout,test; limits.memory for: checkout,test',
    /`resources`/,
  ],
  [
    "OpenShift's ranges",
    "unable to validate against any security context constraint: [provider restricted-v2: .spec.securityContext.fsGroup: Invalid value: []int64{1000}: 1000 is not an allowed group]",
    /`podUser: cluster`/,
  ],
  [
    "a policy on users",
    "ValidatingAdmissionPolicy 'ranges' with binding 'ranges' denied request: runAsUser must be in the ranges: [1000680000, 1000689999]",
    /`podUser: cluster`/,
  ],
  ["Pod Security, whose words say it", 'violates PodSecurity "restricted:latest": runAsUser=0 (pod must not set runAsUser=0)', undefined],
  ["anything else", "spec.template.spec.containers[0].image: Required value", undefined],
];

for (const [what, message, remedy] of ROWS) {
  test(`${remedy ? "names a remedy for" : "has none for"} ${what}`, () => {
    if (remedy) assert.match(refusalRemedy(message) ?? "", remedy);
    else assert.equal(refusalRemedy(message), undefined);
  });
}
