import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readTokenPod } from "../../../../src/core/kubernetes/token-review.ts";

const AUDIENCE = "turbo-hipster.io/ci/collect";

/** As Kubernetes 1.36 answers for a token that is bound to a pod. */
const GOOD = {
  authenticated: true,
  user: {
    username: "system:serviceaccount:ci:default",
    uid: "6d0d2f5e",
    groups: ["system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated"],
    extra: {
      "authentication.kubernetes.io/credential-id": ["JTI=1"],
      "authentication.kubernetes.io/node-name": ["node-1"],
      "authentication.kubernetes.io/pod-name": ["unit-1-abcde"],
      "authentication.kubernetes.io/pod-uid": ["uid-1"],
    },
  },
  audiences: [AUDIENCE],
};
const { extra, ...user } = GOOD.user;

describe("a TokenReview", () => {
  test("names the pod that the token is bound to", () => {
    assert.deepEqual(readTokenPod(GOOD, AUDIENCE), { namespace: "ci", name: "unit-1-abcde", uid: "uid-1" });
  });

  const NONE: Record<string, unknown> = {
    "of a token that is not good": { authenticated: false, error: "token has expired" },
    "that says nothing": {},
    "that is none": undefined,
    "of another audience": { ...GOOD, audiences: ["https://kubernetes.default.svc"] },
    "of a server that knows no audiences": { ...GOOD, audiences: undefined },
    "of a token of no pod": { ...GOOD, user },
    "of two pods": { ...GOOD, user: { ...user, extra: { ...extra, "authentication.kubernetes.io/pod-uid": ["a", "b"] } } },
    "of a person": { ...GOOD, user: { ...GOOD.user, username: "admin" } },
    "that contradicts itself": { ...GOOD, authenticated: "true" },
  };
  for (const [what, status] of Object.entries(NONE))
    test(`${what} names none`, () => assert.equal(readTokenPod(status, AUDIENCE), undefined));
});
