import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { BlockList, isIPv6 } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { type ChartObject, EXAMPLES, find, LEAST_VALUES, renderChart } from "./render-chart.ts";

interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}
interface Peer {
  podSelector?: Selector;
  namespaceSelector?: Selector;
  ipBlock?: { cidr: string; except?: string[] };
}
interface Port {
  protocol: string;
  port: number;
  endPort?: number;
}
interface Rule {
  to?: Peer[];
  from?: Peer[];
  ports: Port[];
}
/** The other end: a pod, or an address that is none of a pod. */
type End = { namespace: string; labels: Record<string, string> } | { address: string };

const RELEASE_LABELS = { "app.kubernetes.io/name": "turbo-hipster", "app.kubernetes.io/instance": "turbo-hipster" };
const BUILD_LABELS = { "app.kubernetes.io/managed-by": "turbo-hipster", "turbo-hipster.io/installation": "turbo-hipster" };
const OPERATOR: End = { namespace: "operators", labels: RELEASE_LABELS };

function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Record<string, string>): boolean {
  const holds = ({ key, operator, values = [] }: { key: string; operator: string; values?: string[] }) => {
    if (operator === "DoesNotExist") return labels[key] === undefined;
    assert.equal(operator, "NotIn");
    return !values.includes(labels[key] ?? "");
  };
  return Object.entries(matchLabels).every(([key, value]) => labels[key] === value) && matchExpressions.every(holds);
}

function contains(range: string, address: string): boolean {
  const [network = "", bits] = range.split("/");
  if (isIPv6(network) !== isIPv6(address)) return false;
  const family = isIPv6(network) ? "ipv6" : "ipv4";
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family);
  return list.check(address, family);
}

/** https://kubernetes.io/docs/concepts/services-networking/network-policies/ `own` is the policy's namespace. */
function isPeer({ podSelector, namespaceSelector, ipBlock }: Peer, end: End, own: string): boolean {
  if ("address" in end)
    return ipBlock !== undefined && contains(ipBlock.cidr, end.address) && !ipBlock.except?.some((range) => contains(range, end.address));
  if (ipBlock) return false;
  const isThere = namespaceSelector ? selects(namespaceSelector, { "kubernetes.io/metadata.name": end.namespace }) : end.namespace === own;
  return isThere && selects(podSelector ?? {}, end.labels);
}

function allows(rules: Rule[], end: End, port: number, protocol: string, own: string): boolean {
  return rules.some(({ to, from, ports }) => {
    const isOpen = ports.some((open) => open.protocol === protocol && open.port <= port && port <= (open.endPort ?? open.port));
    return isOpen && ((to ?? from) === undefined || (to ?? from ?? []).some((peer) => isPeer(peer, end, own)));
  });
}

const values = (networkPolicy: object = {}, servers = ["zuul.example.org"]) => ({
  config: { gearman: { servers }, namespaces: ["builds"] },
  networkPolicy,
});
const render = (given: object) => renderChart(given, { namespace: "operators" });

describe("the policy of builds' pods", () => {
  const policyOf = async (given: object): Promise<ChartObject> => find(await render(given), "NetworkPolicy", "turbo-hipster-builds");
  const mayReach = ({ spec }: ChartObject, end: End, port: number, protocol = "TCP") => allows(spec.egress, end, port, protocol, "builds");

  test("is there by default, in each namespace of builds, and says nothing of who reaches them", async () => {
    const config = { ...LEAST_VALUES.config, namespaces: ["one", "two"] };
    const policies = (await render({ config })).filter(({ kind }) => kind === "NetworkPolicy");
    assert.deepEqual(
      policies.map(({ metadata, spec }) => [metadata.namespace, spec.policyTypes]),
      [
        ["one", ["Egress"]],
        ["two", ["Egress"]],
      ],
    );
    assert.deepEqual(
      (await render({ config, networkPolicy: { builds: { enabled: false } } })).filter(({ kind }) => kind === "NetworkPolicy"),
      [],
    );
  });

  test("is in the namespaces that are named where every one is served, and must be named or left out there", async () => {
    const config = { ...LEAST_VALUES.config, namespaces: ["*"] };
    const placesOf = async (networkPolicy: object, namespaces = ["*"]) =>
      (await render({ config: { ...config, namespaces }, networkPolicy })).flatMap(({ kind, metadata }) =>
        kind === "NetworkPolicy" ? [metadata.namespace] : [],
      );
    assert.deepEqual(await placesOf({ builds: { namespaces: ["one", "two"] } }), ["one", "two"]);
    assert.deepEqual(await placesOf({ builds: { namespaces: ["two"] } }, ["one"]), ["one", "two"]);
    assert.deepEqual(await placesOf({ builds: { enabled: false } }), []);
    await assert.rejects(render({ config }), /config\.namespaces is \["\*"\].*networkPolicy\.builds\.namespaces.*enabled=false/);
  });

  test("selects builds of the release, but for those that have policies of their own, as the example with databases does", async () => {
    const { podSelector } = (await policyOf(values())).spec;
    const task = parse(readFileSync(join(EXAMPLES, "db-migrations/testtask.yaml"), "utf8"));
    assert.ok(selects(podSelector, { ...BUILD_LABELS, "turbo-hipster.io/task": "a" }));
    assert.ok(!selects(podSelector, { ...BUILD_LABELS, "turbo-hipster.io/installation": "another" }));
    assert.ok(!selects(podSelector, RELEASE_LABELS));
    assert.ok(Object.keys(task.spec.labels).length > 0 && !selects(podSelector, { ...BUILD_LABELS, ...task.spec.labels }));
    const renamed = await policyOf(values({ builds: { ownPolicyLabel: "mine" } }));
    assert.ok(!selects(renamed.spec.podSelector, { ...BUILD_LABELS, mine: "" }));
  });

  const inside: End = { namespace: "zuul", labels: { app: "merger" } };
  const outside: End = { address: "203.0.113.7" };
  const reached: [string, End, number, string?][] = [
    ["a merger in the cluster", inside, 443],
    ["another program of the release's name", { namespace: "a", labels: { "app.kubernetes.io/name": "turbo-hipster" } }, 8080],
    ["a server outside", outside, 22],
    ["the port below Gearman's", outside, 4729],
    ["the port above Gearman's", outside, 4731],
    ["the last port", outside, 65_535],
    ["a server of IPv6", { address: "2001:db8::1" }, 443],
    ["a time server", outside, 123, "UDP"],
    ["names, by a resolver on the node", { address: "169.254.20.10" }, 53, "UDP"],
    ["the operator's internal port", OPERATOR, 8081],
  ];
  for (const [what, end, port, protocol] of reached) {
    test(`lets them reach ${what}`, async () => assert.ok(mayReach(await policyOf(values()), end, port, protocol)));
  }

  const closed: [string, End, number][] = [
    ["Gearman in the cluster", inside, 4730],
    ["Gearman outside", outside, 4730],
    ["the API server's usual port", outside, 6443],
    ["a kubelet", { address: "10.0.0.3" }, 10_250],
    ["the machine's credentials", { address: "169.254.169.254" }, 80],
    ["those by IPv6", { address: "fd00:ec2::254" }, 80],
    ["the operator's pages", OPERATOR, 8080],
  ];
  for (const [what, end, port] of closed) {
    test(`closes ${what} to them`, async () => assert.ok(!mayReach(await policyOf(values()), end, port)));
  }

  test("closes each port of the configured servers, and what the values add", async () => {
    const added = { builds: { closedPorts: [443], closedRanges: ["198.51.100.0/24"] }, podRanges: ["10.244.0.0/16", "fd01::/48"] };
    const policy = await policyOf(values(added, ["a:4731", "[::1]:4730", "b:65535", "c:1"]));
    for (const port of [1, 443, 4730, 4731, 65_535]) assert.ok(!mayReach(policy, outside, port), `${port}`);
    for (const port of [2, 442, 444, 4729, 4732, 6443, 65_534]) assert.ok(mayReach(policy, outside, port), `${port}`);
    for (const address of ["198.51.100.9", "10.244.3.4", "fd01::9"]) assert.ok(!mayReach(policy, { address }, 80), address);
    assert.ok(mayReach(policy, { address: "169.254.1.1" }, 80), "a list of one's own is instead of the chart's");
    assert.ok(mayReach(policy, inside, 80), "pods are told by their labels");
  });

  test("follows the operator's internal port", async () => {
    const config = { ...values().config, http: { internal: "0.0.0.0:9081" } };
    const policy = await policyOf({ config });
    assert.deepEqual([mayReach(policy, OPERATOR, 9081), mayReach(policy, OPERATOR, 8081)], [true, false]);
  });
});

describe("the operator's policy", () => {
  const metricsFrom = [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } }];
  const build: End = { namespace: "builds", labels: BUILD_LABELS };

  test("is off by default; on, it leaves the internal port to builds, to itself and to who reads metrics", async () => {
    assert.ok(!(await render(values())).some(({ kind, metadata }) => kind === "NetworkPolicy" && metadata.name === "turbo-hipster"));
    const { metadata, spec } = find(await render(values({ operator: { enabled: true, metricsFrom } })), "NetworkPolicy", "turbo-hipster");
    const mayBeReached = (end: End, port: number) => allows(spec.ingress, end, port, "TCP", "operators");
    assert.deepEqual([metadata.namespace, spec.policyTypes, spec.podSelector.matchLabels], ["operators", ["Ingress"], RELEASE_LABELS]);
    const prometheus: End = { namespace: "monitoring", labels: {} };
    for (const end of [build, OPERATOR, prometheus]) assert.ok(mayBeReached(end, 8081), JSON.stringify(end));
    const others: End[] = [{ namespace: "builds", labels: {} }, { namespace: "a", labels: BUILD_LABELS }, { address: "203.0.113.7" }];
    for (const end of others) assert.ok(!mayBeReached(end, 8081), JSON.stringify(end));
    for (const end of [...others, prometheus]) assert.ok(mayBeReached(end, 8080), JSON.stringify(end));
  });

  test("leaves the internal port to builds of any namespace where every one is served", async () => {
    const config = { ...values().config, namespaces: ["*"] };
    const given = { config, networkPolicy: { builds: { enabled: false }, operator: { enabled: true } } };
    const { spec } = find(await render(given), "NetworkPolicy", "turbo-hipster");
    const mayBeReached = (end: End) => allows(spec.ingress, end, 8081, "TCP", "operators");
    assert.deepEqual([build, { ...build, namespace: "a" }, OPERATOR].map(mayBeReached), [true, true, true]);
    assert.ok(!mayBeReached({ namespace: "a", labels: {} }));
  });
});

describe("the policy of the release's own Gearman server", () => {
  const gearmand = { enabled: true, clients: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "zuul" } } }] };
  const build: End = { namespace: "builds", labels: BUILD_LABELS };
  const zuul: End = { namespace: "zuul", labels: {} };

  test("lets the operator and the named clients reach its port, and it nobody", async () => {
    const objects = await render({ ...values(), gearmand });
    const { metadata, spec } = find(objects, "NetworkPolicy", "turbo-hipster-gearmand");
    assert.deepEqual([metadata.namespace, spec.policyTypes, spec.egress], ["operators", ["Ingress", "Egress"], undefined]);
    const mayBeReached = (end: End, port: number) => allows(spec.ingress, end, port, "TCP", "operators");
    for (const end of [OPERATOR, zuul]) assert.deepEqual([mayBeReached(end, 4730), mayBeReached(end, 80)], [true, false]);
    const others: End[] = [build, { namespace: "operators", labels: {} }, { namespace: "zuul-2", labels: RELEASE_LABELS }];
    for (const end of [...others, { address: "203.0.113.7" }]) assert.ok(!mayBeReached(end, 4730), JSON.stringify(end));
  });

  test("is the operator's alone where no clients are named, and builds have its port closed, whatever other servers there are", async () => {
    const objects = await render({ ...values({}, ["zuul.example.org:4731"]), gearmand: { enabled: true } });
    const { ingress } = find(objects, "NetworkPolicy", "turbo-hipster-gearmand").spec;
    assert.deepEqual([ingress.length, ingress[0].from.length], [1, 1]);
    const { egress } = find(objects, "NetworkPolicy", "turbo-hipster-builds").spec;
    const own: End = { namespace: "operators", labels: { "app.kubernetes.io/name": "turbo-hipster-gearmand" } };
    for (const port of [4730, 4731]) assert.ok(!allows(egress, own, port, "TCP", "builds"), `${port}`);
  });
});
