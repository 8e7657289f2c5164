import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseConfig } from "../../../src/config.ts";
import { type ChartObject, configText, EXAMPLES, find, LEAST_VALUES, renderChart } from "./render-chart.ts";

const spread = { ...LEAST_VALUES, persistence: { accessMode: "ReadWriteMany" } };
const podOf = (objects: readonly ChartObject[]) => find(objects, "Deployment").spec.template;

describe("what users add to the chart", () => {
  test("a tunnel to a Gearman server behind TLS is a sidecar, which outlives the operator", async () => {
    const objects = await renderChart({}, { files: [join(EXAMPLES, "values.yaml"), join(EXAMPLES, "tls/values.yaml")] });
    assert.deepEqual(parseConfig(configText(objects), "config.yaml").gearman.servers, ["127.0.0.1:4730"]);
    const { initContainers, containers, volumes } = podOf(objects).spec;
    assert.deepEqual(
      [containers.length, initContainers.map(({ name, restartPolicy }: Record<string, string>) => [name, restartPolicy])],
      [1, [["gearman-tunnel", "Always"]]],
    );
    const names = volumes.map(({ name }: { name: string }) => name);
    for (const { name } of initContainers[0].volumeMounts) assert.ok(names.includes(name), name);
  });

  test("containers, variables from Secrets and constraints are the pod's as they are given", async () => {
    const values = {
      ...spread,
      extraContainers: [{ name: "beside", image: "a:1", args: ["$(X)"] }],
      extraInitContainers: [{ name: "before", image: "b:1" }],
      extraEnvFrom: [{ secretRef: { name: "s3" } }],
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" },
        { maxSkew: 2, topologyKey: "rack", whenUnsatisfiable: "ScheduleAnyway", labelSelector: { matchLabels: { a: "b" } } },
      ],
    };
    const deployment = find(await renderChart(values), "Deployment").spec;
    const { spec } = deployment.template;
    assert.deepEqual([spec.containers[1], spec.initContainers], [values.extraContainers[0], values.extraInitContainers]);
    assert.deepEqual(spec.containers[0].envFrom, values.extraEnvFrom);
    const [first, second] = values.topologySpreadConstraints;
    assert.deepEqual(spec.topologySpreadConstraints, [{ ...first, labelSelector: deployment.selector }, second]);
  });

  test("replicas that share a claim of one node cannot be kept apart, and are told what to do", async () => {
    const hard = { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "DoNotSchedule" }] };
    const refusal = /apart by kubernetes\.io\/hostname, .*ReadWriteOnce.*Set persistence\.accessMode to ReadWriteMany/s;
    await assert.rejects(renderChart({ ...LEAST_VALUES, ...hard }), refusal);
    await renderChart({ ...LEAST_VALUES, ...hard, replicas: 1 });
    await renderChart({ ...spread, ...hard });
  });

  test("labels are on every object but the definition, and win over none of the chart's", async () => {
    const commonLabels = { team: "ci", "app.kubernetes.io/instance": "stolen" };
    const objects = await renderChart({ ...LEAST_VALUES, commonLabels, ingress: { enabled: true, host: "a.example" } });
    const labelled = [...objects.filter(({ kind }) => kind !== "CustomResourceDefinition"), podOf(objects) as ChartObject];
    for (const { kind, metadata } of labelled)
      assert.deepEqual([metadata.labels?.team, metadata.labels?.["app.kubernetes.io/instance"]], ["ci", "turbo-hipster"], kind);
    assert.deepEqual(find(objects, "Deployment").spec.selector.matchLabels.team, undefined);
  });

  test("objects are installed with the release, and may name it", async () => {
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "{{ .Release.Name }}-extra" }, stringData: { a: "x: {y}" } };
    const objects = await renderChart({ ...LEAST_VALUES, extraObjects: [secret, { ...secret, kind: "Other" }] });
    assert.deepEqual(find(objects, "Secret"), { ...secret, metadata: { name: "turbo-hipster-extra" } });
    find(objects, "Other");
    await assert.rejects(
      renderChart({ ...LEAST_VALUES, extraObjects: [{ kind: "Secret" }] }),
      /at '\/extraObjects\/0': missing properties/,
    );
  });
});

/** What helm says after an installation; by an object of the user's, as `helm template` leaves it out. */
const notes = async (values: object) => {
  const data = { notes: '{{ include "turbo-hipster/templates/NOTES.txt" . | b64enc }}' };
  const object = { apiVersion: "v1", kind: "Notes", metadata: { name: "notes" }, data };
  return Buffer.from(find(await renderChart({ ...values, extraObjects: [object] }), "Notes").data.notes, "base64").toString();
};

describe("the pages' address", () => {
  test("is the Ingress's, which leads to the public Service alone", async () => {
    const ingress = {
      enabled: true,
      host: "builds.example.org",
      className: "nginx",
      annotations: { a: "b" },
      tls: { enabled: true, secretName: "c" },
    };
    const objects = await renderChart({ ...LEAST_VALUES, ingress });
    const { metadata, spec } = find(objects, "Ingress");
    const backend = { service: { name: "turbo-hipster", port: { name: "http" } } };
    assert.deepEqual(spec, {
      ingressClassName: "nginx",
      tls: [{ hosts: ["builds.example.org"], secretName: "c" }],
      rules: [{ host: "builds.example.org", http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }],
    });
    assert.deepEqual(metadata.annotations, { a: "b" });
    const { ports } = find(objects, "Service", backend.service.name).spec;
    assert.deepEqual([ports.length, ports[0].name, ports[0].targetPort], [1, "http", "http"]);
    assert.equal(parseConfig(configText(objects), "config.yaml").publicUrl, "https://builds.example.org");
  });

  test("has no TLS unless it is said, and gives way to what is configured", async () => {
    const ingress = { enabled: true, host: "builds.example.org" };
    const objects = await renderChart({ ...LEAST_VALUES, ingress });
    assert.equal(find(objects, "Ingress").spec.tls, undefined);
    assert.equal(parseConfig(configText(objects), "config.yaml").publicUrl, "http://builds.example.org");
    const config = { ...LEAST_VALUES.config, publicUrl: "https://proxy.example.org/th" };
    assert.equal(parseConfig(configText(await renderChart({ config, ingress })), "config.yaml").publicUrl, config.publicUrl);
  });

  test("is not known of a Gateway, whose listener says whether there is TLS", async () => {
    const httpRoute = { enabled: true, parentRefs: [{ name: "public", namespace: "gateways" }], hostnames: ["builds.example.org"] };
    const objects = await renderChart({ ...LEAST_VALUES, httpRoute, service: { port: 80 } });
    assert.deepEqual(find(objects, "HTTPRoute").spec, {
      parentRefs: httpRoute.parentRefs,
      hostnames: httpRoute.hostnames,
      rules: [{ backendRefs: [{ name: "turbo-hipster", port: 80 }] }],
    });
    assert.equal(parseConfig(configText(objects), "config.yaml").publicUrl, undefined);
  });

  test("is told after the installation, or what to do where there is none", async () => {
    assert.match(await notes({ ...LEAST_VALUES, ingress: { enabled: true, host: "a.example" } }), /at http:\/\/a\.example\n/);
    assert.match(await notes(LEAST_VALUES), /publicUrl is not set.*\n.*--set ingress\.enabled=true/);
    const httpRoute = { enabled: true, parentRefs: [{ name: "public" }] };
    assert.match(await notes({ ...LEAST_VALUES, httpRoute }), /publicUrl is not set.*Set it to the address that httpRoute gives/s);
  });

  test("a host or a Gateway that is missing is asked for by its name", async () => {
    await assert.rejects(renderChart({ ...LEAST_VALUES, ingress: { enabled: true } }), /ingress\.host is empty/);
    await assert.rejects(renderChart({ ...LEAST_VALUES, ingress: { enabled: true, host: "*.a.org" } }), /ingress\.host is a wildcard/);
    await assert.rejects(renderChart({ ...LEAST_VALUES, httpRoute: { enabled: true } }), /httpRoute\.parentRefs is empty/);
    await assert.rejects(renderChart({ ...LEAST_VALUES, ingress: { host: "https://a" } }), /at '\/ingress\/host'/);
  });
});

test("after an installation helm tells of the claim that pods wait for, where it is the cluster's to make a volume", async () => {
  assert.match(await notes(LEAST_VALUES), /claim turbo-hipster-logs.*kubectl get storageclass/s);
  const others = [{ persistence: { storageClass: "fast" } }, { persistence: { existingClaim: "mine" } }];
  for (const values of others) assert.doesNotMatch(await notes({ ...LEAST_VALUES, ...values }), /storageclass/);
  const none = { config: { ...LEAST_VALUES.config, logs: { store: "none" } } };
  assert.doesNotMatch(await notes(none), /storageclass/);
});

test("after an installation helm tells how to submit a build through a Gearman server of the release's own, and who else may", async () => {
  const told = await notes({ gearmand: { enabled: true } });
  assert.match(told, /submit hello --server turbo-hipster-gearmand\.ci\.svc:4730\n\ngearmand\.clients is empty: nobody else may reach it/);
  assert.match(told, /Nor does turbo-hipster-gearmand:\S+, of gearmand: set gearmand\.image\.repository/);
  const clients = [{ namespaceSelector: {} }];
  const own = { enabled: true, clients, image: { repository: "r.example/gearmand" } };
  const others = await notes({ ...LEAST_VALUES, gearmand: own });
  assert.match(others, /Besides the operator, those of gearmand\.clients alone may reach it/);
  assert.doesNotMatch(others, /Nor does/);
  assert.doesNotMatch(await notes(LEAST_VALUES), /gearmand/);
});
