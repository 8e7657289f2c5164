import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseConfig } from "../../../src/config.ts";
import { VERSION } from "../../../src/version.ts";
import { type ChartObject, configText, find, LEAST_VALUES, renderChart } from "./render-chart.ts";

const NAME = "turbo-hipster-gearmand";
const OWN_SERVER = `${NAME}.ci.svc:4730`;
const gearmand = { enabled: true };

const serversOf = (objects: readonly ChartObject[]) => parseConfig(configText(objects), "config.yaml").gearman.servers;
const templateOf = (objects: readonly ChartObject[], name: string) => find(objects, "Deployment", name).spec.template;

/** All that an object of the chart's selects pods of its own namespace by. */
function selectorsOf({ kind, spec }: ChartObject): Record<string, string>[] {
  if (kind === "Service") return [spec.selector];
  if (kind === "Deployment" || kind === "PodDisruptionBudget") return [spec.selector.matchLabels];
  return kind === "NetworkPolicy" ? [spec.podSelector.matchLabels] : [];
}

function selects(selector: Record<string, string>, labels: Record<string, string>): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

describe("the release's own Gearman server", () => {
  test("is a Deployment, a Service and a policy beside what there is without it", async () => {
    const names = (objects: readonly ChartObject[]) => objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const without = names(await renderChart(LEAST_VALUES));
    const added = new Set(names(await renderChart({ ...LEAST_VALUES, gearmand }))).difference(new Set(without));
    assert.deepEqual(added, new Set([`Deployment ${NAME}`, `Service ${NAME}`, `NetworkPolicy ${NAME}`]));
  });

  test("is the operator's server where none is configured, and its last where some are", async () => {
    assert.deepEqual(serversOf(await renderChart({ gearmand })), [OWN_SERVER]);
    const config = { gearman: { servers: ["zuul.example.org:4730", "b:4731"], clientGoneAfter: "2m" } };
    const objects = await renderChart({ config, gearmand });
    assert.deepEqual(serversOf(objects), ["zuul.example.org:4730", "b:4731", OWN_SERVER]);
    assert.match(configText(objects), /clientGoneAfter: 2m/);
    for (const own of [OWN_SERVER, OWN_SERVER.replace(":4730", "")])
      assert.deepEqual(serversOf(await renderChart({ config: { gearman: { servers: [own] } }, gearmand })), [OWN_SERVER]);
    const { name, namespace } = find(objects, "Service", NAME).metadata;
    assert.equal(`${name}.${namespace}.svc:${find(objects, "Service", NAME).spec.ports[0].port}`, OWN_SERVER);
  });

  test("has pods that nothing of the operator's selects, and selects none of the operator's", async () => {
    const values = { gearmand, commonLabels: { team: "ci" }, networkPolicy: { operator: { enabled: true } } };
    const objects = await renderChart(values);
    const own = templateOf(objects, NAME).metadata.labels;
    const operators = templateOf(objects, "turbo-hipster").metadata.labels;
    assert.deepEqual([own.team, own["app.kubernetes.io/instance"]], ["ci", "turbo-hipster"]);
    for (const object of objects)
      for (const selector of selectorsOf(object)) {
        const seen = [selects(selector, own), selects(selector, operators)];
        const isOfBuilds = object.metadata.name === "turbo-hipster-builds";
        assert.deepEqual(seen, [object.metadata.name === NAME, object.metadata.name !== NAME && !isOfBuilds], object.metadata.name);
      }
  });

  test("is gearmand itself, one of it, under the restricted Pod Security Standard and without a token", async () => {
    const { spec } = find(await renderChart({ gearmand }), "Deployment", NAME);
    assert.deepEqual([spec.replicas, spec.strategy], [1, { type: "Recreate" }]);
    const { containers, securityContext, automountServiceAccountToken } = spec.template.spec;
    const [container] = containers;
    assert.deepEqual([container.image, container.command, automountServiceAccountToken], [`${NAME}:${VERSION}`, undefined, false]);
    assert.deepEqual([securityContext.runAsNonRoot, securityContext.seccompProfile], [true, { type: "RuntimeDefault" }]);
    const restricted = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } };
    assert.deepEqual(container.securityContext, restricted);
  });

  test("goes where the operator goes, with an image and resources of its own", async () => {
    const placed = {
      imagePullSecrets: [{ name: "pull" }],
      priorityClassName: "high",
      nodeSelector: { "kubernetes.io/os": "linux" },
      tolerations: [{ key: "ci", operator: "Exists" }],
    };
    const image = { repository: "r.example/gearmand", tag: "7", pullPolicy: "Always" };
    const objects = await renderChart({ ...placed, gearmand: { enabled: true, image, resources: { limits: { memory: "1Gi" } } } });
    const { containers, ...spec } = templateOf(objects, NAME).spec;
    for (const [name, value] of Object.entries(placed)) assert.deepEqual(spec[name], value, name);
    assert.deepEqual([containers[0].image, containers[0].imagePullPolicy], ["r.example/gearmand:7", "Always"]);
    assert.deepEqual(containers[0].resources.limits, { memory: "1Gi" });
    const pinned = { enabled: true, image: { ...image, digest: `sha256:${"a".repeat(64)}` } };
    const { template } = find(await renderChart({ gearmand: pinned }), "Deployment", NAME).spec;
    assert.equal(template.spec.containers[0].image, `r.example/gearmand@${pinned.image.digest}`);
  });

  test("keeps names within what a Service may have, and takes names that look like numbers", async () => {
    const objects = await renderChart({ gearmand, fullnameOverride: "a".repeat(60) }, { namespace: "567", release: "1234" });
    const { metadata, spec } = find(objects, "Service", `${"a".repeat(54)}-gearmand`);
    assert.deepEqual([metadata.name.length, metadata.namespace, spec.selector["app.kubernetes.io/instance"]], [63, "567", "1234"]);
    assert.deepEqual(serversOf(objects), [`${metadata.name}.567.svc:4730`]);
  });

  test("values that cannot be are refused by their names", async () => {
    await assert.rejects(renderChart({ gearmand: { enabled: true, clients: { ipBlock: {} } } }), /at '\/gearmand\/clients'/);
    await assert.rejects(renderChart({ gearmand: { enabled: true, replicas: 2 } }), /additional properties 'replicas' not allowed/);
    await assert.rejects(renderChart({}), /servers is empty.*--set gearmand\.enabled=true/s);
  });
});
