import type { ResourceRules } from "./resource-rules.ts";

/** What the fake says of whoever asks: user `tester`, who may do all but `forbidden` (`verb resource`, as `create pods` or `get pods/log`). */
export function subjectReviewRules(forbidden: ReadonlySet<string>): ResourceRules[] {
  return [
    {
      ...{ group: "authentication.k8s.io", version: "v1", plural: "selfsubjectreviews", kind: "SelfSubjectReview", isBuiltIn: true },
      answer: (question) => ({ ...question, status: { userInfo: { username: "tester" } } }),
    },
    {
      ...{ group: "authorization.k8s.io", version: "v1", plural: "selfsubjectaccessreviews", kind: "SelfSubjectAccessReview" },
      isBuiltIn: true,
      answer: (question) => {
        const { verb, resource, subresource } = question.spec.resourceAttributes;
        const right = `${verb} ${[resource, subresource].filter(Boolean).join("/")}`;
        return { ...question, status: { allowed: !forbidden.has(right) } };
      },
    },
  ];
}
