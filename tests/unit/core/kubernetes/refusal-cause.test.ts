import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { refusalCause } from "../../../../src/core/kubernetes/refusal-cause.ts";
import { failureText } from "../../../../src/core/zuul/clean-result-text.ts";

const KYVERNO = (policies: string) =>
  `admission webhook "validate.kyverno.svc-fail" denied the request: \n\nresource Job/ci/unit-1 was blocked due to the following policies \n\n${policies}`;

/** Messages in the form of those named, and what reviewers get. */
const ROWS: [string, string, string][] = [
  [
    "kyverno, one policy whose text is folded (kyverno/kyverno pkg/webhooks/utils/block.go; kyverno/policies #156)",
    KYVERNO(
      "require-requests-limits:\n  autogen-validate-resources: 'validation error: CPU and memory resource requests and\n    limits are required. rule\n    autogen-validate-resources failed at path /spec/template/spec/containers/0/resources/limits/'\n",
    ),
    "CONFIG_ERROR - policy require-requests-limits - CPU and memory resource requests and limits are required",
  ],
  [
    "kyverno, in a pod's Event, an older word order",
    `Error creating: ${KYVERNO("require-limits:\n  validate-limits: 'validation error: it''s without limits. Rule validate-limits failed at path /spec/'\n")}`,
    "CONFIG_ERROR - policy require-limits - its without limits",
  ],
  [
    "kyverno, several policies",
    KYVERNO(
      "a-latest-tag:\n  no-latest: 'validation error: A tag is required'\nb-team:\n  has-team: 'validation error: A team is required'\n",
    ),
    "CONFIG_ERROR - policy a-latest-tag - A tag is required",
  ],
  [
    "kyverno, a text without quotes, several rules",
    KYVERNO("verify-images:\n  check-signature: no signature for docker.io/nginx found\n  second: other\n"),
    "CONFIG_ERROR - policy verify-images - no signature for docker.io/nginx found",
  ],
  [
    "gatekeeper (okteto/okteto #1808, streamdal/streamdal #306)",
    'admission webhook "validation.gatekeeper.sh" denied the request: [container-must-have-limits] container <test> has no resource limits\n[container-must-meet-ratio] container <test> has no resource limits',
    "CONFIG_ERROR - policy container-must-have-limits - container <test> has no resource limits",
  ],
  [
    "gatekeeper of old",
    'admission webhook "validation.gatekeeper.sh" denied the request: [denied by container-limits] container <test> has no resource limits\n[denied by container-limits] container <db> has no resource limits',
    "CONFIG_ERROR - policy container-limits - container <test> has no resource limits",
  ],
  [
    "another webhook: the reason before its name",
    "admission webhook \"kw.cap.container-resources-policy.kubewarden.admission\" denied the request: memory limit '12Gi' exceeds the max allowed value '4G'",
    "CONFIG_ERROR - memory limit 12Gi exceeds the max allowed value 4G (by kw.cap.container-resources-policy.kubewarden.ad...",
  ],
  [
    "a webhook that gives no reason",
    'admission webhook "policy.example.org" denied the request without explanation',
    "CONFIG_ERROR - refused (by policy.example.org)",
  ],
  [
    "a ValidatingAdmissionPolicy (ansible/galaxy-operator #198)",
    "jobs.batch \"unit-1\" is forbidden: ValidatingAdmissionPolicy 'require-team' with binding 'require-team-ci' denied request: a team label is required",
    "CONFIG_ERROR - policy require-team - a team label is required",
  ],
  [
    "OpenShift's security context constraints (pulp/pulp-operator #1319)",
    'Error creating: pods "unit-1-" is forbidden: unable to validate against any security context constraint: [provider "anyuid": Forbidden: not usable by user or serviceaccount, provider restricted-v2: .spec.securityContext.fsGroup: Invalid value: []int64{1000}: 1000 is not an allowed group, provider restricted-v2: .containers[0].runAsUser: Invalid value: 1000: must be in the ranges: [1000680000, 1000689999], provider "restricted": Forbidden: not usable by user or serviceaccount, provider "nonroot-v2": Forbidden: not usable by user or servi',
    "CONFIG_ERROR - SCC restricted-v2 - .spec.securityContext.fsGroup - 1000 is not an allowed group...",
  ],
  [
    "OpenShift's of 4.14 (wave-k8s/wave #174)",
    'pods "unit-1-" is forbidden: unable to validate against any security context constraint: [provider "anyuid": Forbidden: not usable by user or serviceaccount, provider restricted-v2: .containers[0].runAsUser: Invalid value: 1000: must be in the ranges: [1000760000, 1000769999], provider "privileged": Forbidden: not usable by user or serviceaccount]',
    "CONFIG_ERROR - SCC restricted-v2 - .containers[0].runAsUser - 1000 must be in the ranges [1000760000, 1000769999]",
  ],
  [
    "OpenShift, where none is for this account",
    'pods "unit-1-" is forbidden: unable to validate against any security context constraint: [provider "anyuid": Forbidden: not usable by user or serviceaccount]',
    "CONFIG_ERROR - no security context constraint is for this service account",
  ],
  [
    "a quota that would never allow it, among others that would",
    'pods "unit-1-abcde" is forbidden: exceeded quota: small, requested: pods=1,requests.memory=2Gi, used: pods=5,requests.memory=0, limited: pods=5,requests.memory=1Gi',
    "CONFIG_ERROR - more than quota small allows - requests.memory 2Gi is requested, the limit is 1Gi",
  ],
  [
    "Pod Security",
    'pods "unit-1-abcde" is forbidden: violates PodSecurity "restricted:latest": privileged (container "test" must not set securityContext.privileged=true)',
    "CONFIG_ERROR - violates PodSecurity restricted-latest - privileged (container test must not set...",
  ],
  [
    "an invalid field",
    'Job.batch "unit-1" is invalid: spec.template.spec.containers[0].image: Required value',
    "CONFIG_ERROR - spec.template.spec.containers[0].image - Required value",
  ],
];

const WEBHOOK = 'admission webhook "policy.example.org" denied the request:';
const SCC = 'pods "unit-1-" is forbidden: unable to validate against any security context constraint: ';
const SECCOMP = "[container.seccomp.security.alpha.kubernetes.io/test]: Forbidden: seccomp may not be set";

/** The whole cause, as it stands on the Job. */
const CAUSES: [string, string, string][] = [
  [
    "a webhook that quotes what a kubelet's Event begins with",
    `${WEBHOOK} Error creating: no`,
    "Error creating: no (by policy.example.org)",
  ],
  ["a webhook that quotes a refusal", `${WEBHOOK} pods "a" is forbidden: no`, 'pods "a" is forbidden: no (by policy.example.org)'],
  ["a webhook whose reason is blank", `${WEBHOOK} \n`, "refused (by policy.example.org)"],
  [
    "a webhook that says what is not explained",
    `${WEBHOOK} a change without explanation`,
    "a change without explanation (by policy.example.org)",
  ],
  ["a webhook with brackets in its reason", `${WEBHOOK} image [nginx] is old`, "image [nginx] is old (by policy.example.org)"],
  ["gatekeeper, one violation on a line of its own", `${WEBHOOK} \n[limits] no limits`, "policy limits - no limits"],
  ["kyverno, a text in quotes", KYVERNO("p:\n  r: 'A tag is required'\n  second: other\n"), "policy p - A tag is required"],
  [
    "kyverno, a text in double quotes",
    KYVERNO('p:\n  r: "validation error: A \\"team\\" is required"\n  second: other\n'),
    'policy p - A \\"team\\" is required',
  ],
  [
    "kyverno, a plain text that is folded",
    KYVERNO("p:\n  r: no signature for\n    nginx\n  second: other\n"),
    "policy p - no signature for nginx",
  ],
  ...["|", "|-", ">", ">-"].map((block): [string, string, string] => [
    `kyverno, a block of YAML, ${block}`,
    KYVERNO(`p:\n  r: ${block}\n    validation error: A tag\n    is required\n  second: other\n`),
    "policy p - A tag is required",
  ]),
  [
    "kyverno, what it puts before a text and after it",
    KYVERNO("p:\n  r: 'validation error: validation failure: A tag is required! Rule r failed at path /spec/'\n"),
    "policy p - A tag is required!",
  ],
  [
    "kyverno, such words within a text",
    KYVERNO("p:\n  r: the last validation error: see it\n  s: x\n"),
    "policy p - the last validation error: see it",
  ],
  [
    "OpenShift, one objection",
    `${SCC}provider restricted-v2: .spec.hostNetwork: Invalid value: true: Host network is not allowed`,
    "SCC restricted-v2: .spec.hostNetwork: true Host network is not allowed",
  ],
  [
    "OpenShift, an objection that names no constraint",
    `${SCC}[provider restricted-v2: .spec.hostPID: Invalid value: true: Host PID is not allowed, spec.volumes[1]: Invalid value: "hostPath": no]`,
    'SCC restricted-v2: .spec.hostPID: true Host PID is not allowed, spec.volumes[1]: "hostPath" no',
  ],
  [
    "OpenShift, profiles of every pod",
    `${SCC}[pod.metadata.annotations${SECCOMP}, provider restricted: .spec.hostIPC: Invalid value: true: no]`,
    "SCC restricted: .spec.hostIPC: true no",
  ],
  [
    "OpenShift, a profile that a constraint is against",
    `${SCC}[provider restricted: pod.metadata.annotations${SECCOMP}]`,
    `SCC restricted: pod.metadata.annotations${SECCOMP}`,
  ],
  ["who only quotes OpenShift", `policy: ${SCC}[no]`, `policy: ${SCC}[no]`],
];

describe("the cause of a refusal is whole:", () => {
  for (const [of, message, cause] of CAUSES) test(of, () => assert.equal(refusalCause(message), cause));

  test("kyverno, in a form that nobody knows", () => {
    assert.match(refusalCause(KYVERNO("see its report: nothing: more")), /^resource Job.*see its report: nothing: more \(by validate/s);
  });
});

describe("the cause of a refusal comes first", () => {
  for (const [of, message, result] of ROWS) {
    test(of, () => assert.equal(failureText(`CONFIG_ERROR - ${refusalCause(message)}`), result));
  }
});
