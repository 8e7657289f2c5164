import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { chartProgram } from "../../support/chart/chart-program.ts";
import { KUBERNETES_VERSIONS, type KubernetesVersion, kubernetesSchemas } from "../../support/chart/kubernetes-schemas.ts";
import { EXAMPLES, LEAST_VALUES, type RenderOptions, renderChartText } from "../../unit/chart/render-chart.ts";

const ROOT = join(import.meta.dirname, "../../..");

const EVERYTHING = {
  ...LEAST_VALUES,
  persistence: { accessMode: "ReadWriteMany", storageClass: "shared" },
  image: { digest: `sha256:${"0".repeat(64)}` },
  imagePullSecrets: [{ name: "registry" }],
  gearmand: { enabled: true, clients: [{ namespaceSelector: {} }, { ipBlock: { cidr: "192.0.2.7/32" } }] },
  ingress: { enabled: true, className: "nginx", host: "builds.example.org", tls: { enabled: true, secretName: "tls" } },
  httpRoute: { enabled: true, parentRefs: [{ name: "public", namespace: "gateways" }], hostnames: ["builds.example.org"] },
  networkPolicy: { podRanges: ["10.244.0.0/16"], operator: { enabled: true, metricsFrom: [{ namespaceSelector: {} }] } },
  monitoring: { serviceMonitor: { enabled: true, labels: { release: "p" } }, rules: { enabled: true }, dashboard: { enabled: true } },
  topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" }],
  tolerations: [{ key: "ci", operator: "Exists" }],
  nodeSelector: { pool: "ci" },
  priorityClassName: "high",
  extraEnv: [{ name: "HTTPS_PROXY", value: "http://proxy:3128" }],
  extraEnvFrom: [{ secretRef: { name: "s3" } }],
  extraVolumes: [{ name: "s3", secret: { secretName: "s3" } }],
  extraVolumeMounts: [{ name: "s3", mountPath: "/s3", readOnly: true }],
  extraContainers: [{ name: "beside", image: "a:1" }],
  extraInitContainers: [{ name: "before", image: "b:1", restartPolicy: "Always" }],
};
const BUCKET = { config: { ...LEAST_VALUES.config, namespaces: ["builds", "more"], logs: { store: "s3", bucket: "ci-logs" } } };

const EVERYWHERE = {
  config: { ...LEAST_VALUES.config, namespaces: ["*"] },
  networkPolicy: { builds: { namespaces: ["builds", "more"] }, operator: { enabled: true } },
};

const RENDERED: Record<string, [values: object, options?: RenderOptions]> = {
  "the least values": [LEAST_VALUES, { hooks: true }],
  "everything that can be switched on": [EVERYTHING, { hooks: true }],
  "one replica, two namespaces of builds and logs in a bucket": [{ ...BUCKET, replicas: 1, crds: { keep: false } }],
  "every namespace served": [EVERYWHERE, { hooks: true }],
  "the example values": [{}, { files: [join(EXAMPLES, "values.yaml")] }],
  "the example values behind TLS": [{}, { files: [join(EXAMPLES, "values.yaml"), join(EXAMPLES, "tls/values.yaml")] }],
  "the local cluster's values": [LEAST_VALUES, { files: [join(EXAMPLES, "values-local.yaml")] }],
};
const FILES = [
  "deploy/manifests/turbo-hipster.yaml",
  "crds/testtasks.turbo-hipster.io.yaml",
  ...["benchmark", "long-test", "migration", "release", "style", "unit-tests"].map((name) => `deploy/examples/${name}.yaml`),
  ...["testtask", "network-policy"].map((name) => `deploy/examples/db-migrations/${name}.yaml`),
];

describe("kubeconform", () => {
  let program: string;
  let schemas: string;

  before(async () => {
    program = await chartProgram("kubeconform");
    schemas = await kubernetesSchemas();
  });

  /** What it counts; rejects with its words where an object is not as its schema wants it, or where a kind has none. */
  async function check(text: string, version: KubernetesVersion): Promise<{ valid: number; skipped: number }> {
    const flags = ["-strict", "-summary", "-output", "json", "-schema-location", schemas, "-kubernetes-version", version];
    return JSON.parse(await runCommand(program, [...flags, "-"], { input: text })).summary;
  }
  const countObjects = (text: string) => text.match(/^kind: /gm)?.length ?? 0;

  for (const version of KUBERNETES_VERSIONS) {
    for (const [what, [values, options]] of Object.entries(RENDERED)) {
      test(`the chart with ${what} makes objects as Kubernetes ${version} knows them`, async () => {
        const text = await renderChartText(values, options);
        const { valid, skipped } = await check(text, version);
        assert.deepEqual([valid, skipped], [countObjects(text), 0]);
      });
    }

    for (const file of FILES) {
      test(`${file} has objects as Kubernetes ${version} knows them`, async () => {
        const text = readFileSync(join(ROOT, file), "utf8");
        const { valid, skipped } = await check(text, version);
        assert.deepEqual([valid, skipped], [countObjects(text), 0]);
      });
    }
  }

  const object = (apiVersion: string, kind: string, spec: object) =>
    JSON.stringify({ apiVersion, kind, metadata: { name: "a", namespace: "b" }, spec });
  const podWith = (container: object) => object("v1", "Pod", { containers: [{ name: "a", image: "a:1", ...container }] });

  for (const [what, text, reason] of [
    ["a field that no pod has", podWith({ imagePullPolice: "Always" }), /imagePullPolice/],
    ["a number for a text", podWith({ command: [1] }), /\/command\/0/],
    [
      "a field that no ServiceMonitor has",
      object("monitoring.coreos.com/v1", "ServiceMonitor", { selector: {}, endpoints: [{ prot: "http" }] }),
      /'prot' not allowed/,
    ],
    ["a field that no TestTask has", object("turbo-hipster.io/v1alpha1", "TestTask", { image: "a:1", scripts: "true" }), /scripts/],
    ["a kind that nobody knows", object("apps/v1", "Deploymint", {}), /could not find schema for Deploymint/],
  ] as const) {
    test(`refuses ${what}`, async () => {
      for (const version of KUBERNETES_VERSIONS) await assert.rejects(check(text, version), reason);
    });
  }

  test("knows what is new since the oldest version that the chart takes", async () => {
    const text = podWith({
      restartPolicyRules: [{ action: "Restart", exitCodes: { operator: "In", values: [42] } }],
      restartPolicy: "Never",
    });
    assert.equal((await check(text, "1.36.3")).valid, 1);
    await assert.rejects(check(text, "1.29.15"), /restartPolicyRules/);
  });
});
