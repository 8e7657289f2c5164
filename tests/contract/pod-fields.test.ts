import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { renderReviewedObjects } from "../../src/core/job/template-review.ts";
import { CONTAINER_FIELDS, POD_SPEC_FIELDS, type SpecFieldUse } from "../../src/core/kubernetes/pod-fields.ts";
import { parseTestTask } from "../../src/core/test-task/test-task.ts";
import { PODS } from "../../src/kube/client/resource.ts";
import { type ContractTarget, findRealKubeconfig, NO_REAL_SERVER, openRealTarget } from "./contract-target.ts";

// What docs/pod-fields.md says of a template's fields, by a real API server: those that are kept are taken in a build's pod.

const realKubeconfig = await findRealKubeconfig();
const skip = realKubeconfig === undefined ? NO_REAL_SERVER : false;
const PROBE = { exec: { command: ["true"] } };

const POD: Record<string, unknown> = {
  affinity: { nodeAffinity: {} },
  automountServiceAccountToken: true,
  dnsConfig: { options: [{ name: "ndots", value: "1" }] },
  dnsPolicy: "ClusterFirst",
  enableServiceLinks: true,
  hostAliases: [{ ip: "127.0.0.1", hostnames: ["db"] }],
  hostIPC: true,
  hostNetwork: true,
  hostPID: true,
  hostUsers: true,
  hostname: "tester",
  hostnameOverride: "tester.example.org",
  imagePullSecrets: [{ name: "registry" }],
  initContainers: [{ name: "setup", image: "i" }],
  nodeName: "node-1",
  nodeSelector: { disk: "ssd" },
  os: { name: "linux" },
  priorityClassName: "system-node-critical",
  readinessGates: [{ conditionType: "example.org/ready" }],
  resourceClaims: [{ name: "gpu", resourceClaimName: "gpu" }],
  resources: { limits: { memory: "2Gi" } },
  restartPolicy: "Never",
  schedulerName: "other",
  schedulingGates: [{ name: "example.org/gate" }],
  securityContext: { fsGroup: 2000 },
  serviceAccount: "default",
  serviceAccountName: "default",
  setHostnameAsFQDN: true,
  shareProcessNamespace: true,
  subdomain: "tests",
  terminationGracePeriodSeconds: 600,
  tolerations: [{ operator: "Exists" }],
  topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" }],
  volumes: [{ name: "cache", emptyDir: {} }],
};
/** They need an object of the cluster that is not there, or are for tests of their own. */
const POD_UNTRIED = ["containers", "runtimeClassName", "schedulingGroup", "activeDeadlineSeconds", "ephemeralContainers"];

const CONTAINER: Record<string, unknown> = {
  args: ["a"],
  command: ["make"],
  env: [{ name: "A", value: "1" }],
  envFrom: [{ configMapRef: { name: "c" } }],
  image: "i",
  imagePullPolicy: "Always",
  lifecycle: { postStart: PROBE },
  livenessProbe: PROBE,
  name: "test",
  ports: [{ containerPort: 80 }],
  readinessProbe: PROBE,
  resources: { limits: { memory: "1Gi" } },
  restartPolicy: "Never",
  securityContext: { capabilities: { add: ["NET_BIND_SERVICE"] } },
  startupProbe: PROBE,
  stdin: true,
  stdinOnce: true,
  terminationMessagePath: "/dev/own",
  terminationMessagePolicy: "FallbackToLogsOnError",
  tty: true,
  volumeMounts: [{ name: "th-workspace", mountPath: "/src" }],
  workingDir: "/src",
};
const CONTAINER_UNTRIED = ["restartPolicyRules", "volumeDevices"];

/** Fields that the API server refuses in a build's pod, and what it says. */
const REFUSED: [where: "pod" | "container", fields: object, why: RegExp][] = [
  ["container", { resizePolicy: [{ resourceName: "memory", restartPolicy: "RestartContainer" }] }, /resizePolicy/],
  ["pod", { priority: 7 }, /priority/i],
  ["pod", { preemptionPolicy: "Never" }, /preemption/i],
  ["pod", { overhead: { cpu: "1" } }, /overhead/i],
];

function podOf(podFields: object, containerFields: object) {
  const spec = { template: { spec: { containers: [{ name: "test", image: "i", command: ["true"], ...containerFields }], ...podFields } } };
  const parsed = parseTestTask({ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "a" }, spec });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const rendered = renderReviewedObjects(parsed.task, { installation: "i", image: "i", checkout: { allowedUrls: [] } } as never);
  assert.ok(rendered.ok);
  return rendered.objects.find(({ kind }) => kind === "Pod")?.object ?? assert.fail("no pod");
}

describe("a build's pod on a real API server", { skip }, () => {
  let target: ContractTarget;
  let namespace: string;
  before(async () => {
    target = await openRealTarget(realKubeconfig ?? "");
    namespace = await target.makeNamespace();
  });
  after(() => target[Symbol.asyncDispose]());

  async function refusal(podFields: object, containerFields: object): Promise<string | undefined> {
    const pod = podOf(podFields, containerFields);
    try {
      await target.client.create(
        PODS,
        namespace,
        { ...pod, metadata: { ...pod.metadata, namespace } },
        { dryRun: true, fieldValidation: "Strict" },
      );
      return undefined;
    } catch (thrown) {
      return (thrown as Error).message;
    }
  }

  const tables: [string, Readonly<Record<string, readonly [SpecFieldUse, string]>>, Record<string, unknown>, string[]][] = [
    ["pod", POD_SPEC_FIELDS, POD, POD_UNTRIED],
    ["container", CONTAINER_FIELDS, CONTAINER, CONTAINER_UNTRIED],
  ];
  for (const [where, table, values, untried] of tables) {
    test(`may have every field of a ${where} that the template's page says is kept or used`, async () => {
      for (const [field, [use]] of Object.entries(table)) {
        if (use === "cluster" || untried.includes(field)) continue;
        const value = { [field]: values[field] ?? assert.fail(`the test has no value for ${field}`) };
        assert.equal(where === "pod" ? await refusal(value, {}) : await refusal({}, value), undefined, field);
      }
    });
  }

  for (const [where, fields, why] of REFUSED) {
    test(`is refused with ${Object.keys(fields)} of a ${where}`, async () => {
      const message = where === "pod" ? await refusal(fields, {}) : await refusal({}, fields);
      assert.match(message ?? "", why);
    });
  }
});
