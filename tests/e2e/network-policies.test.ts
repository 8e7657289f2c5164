import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { parse, parseAllDocuments } from "yaml";
import { runCommand } from "../../tools/machine/run-command.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { imageValues } from "../support/chart/image-values.ts";
import { claimVolume } from "../support/cluster/claim-volume.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { findTestKubelet } from "../support/cluster/test-kubelet.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { type GitDaemon, startGitDaemon } from "../support/git/git-daemon.ts";
import { createGitRepository, type ZuulChange } from "../support/git/git-repository.ts";
import { LISTENER, PROBE } from "../support/network-policies/connections.ts";
import { enterNode, startKubeRouter } from "../support/network-policies/kube-router.ts";
import { startZuulLauncher, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const CHART = join(import.meta.dirname, "../../charts/turbo-hipster");
const EXAMPLE = join(import.meta.dirname, "../../deploy/examples/db-migrations");
const NAMESPACE_NAME = "kubernetes.io/metadata.name";
const RELEASE = "th";
const DEPLOYMENT = "th-turbo-hipster";
/** Where clouds hand out credentials, and where a node's resolver could be. */
const LINK_LOCAL = "169.254.169.254";
const LIMIT_MS = 30_000;

const context = useTestCluster("policies");
const stack = new AsyncDisposableStack();
let zuul: ZuulLauncher;
let git: GitDaemon;
let change: ZuulChange;
/** Of the claim. */
let files: string;
let values: string[];
/** What connections go to, by what it is for people. */
let targets: Record<string, string>;
/** A build under the chart's policy, one that is left to policies of its own, and a pod of another namespace. */
const pods = { build: [] as string[], own: [] as string[], stranger: [] as string[] };

function kubectl(...args: string[]): Promise<string> {
  return context.kubectl("--namespace", context.namespace, ...args);
}

function testTask(name: string, script: string, more: object = {}): object {
  return context.testTask(name, script, { timeouts: { run: "5m", collect: "1m" }, ...more });
}

/** A pod that listens on those ports. Gives its address. */
async function startListener(namespace: string, metadata: { name: string; labels?: object }, ports: readonly number[]): Promise<string> {
  const command = ["node", "-e", LISTENER, ...ports.map((port) => `0.0.0.0:${port}`)];
  const readinessProbe = { tcpSocket: { port: ports[0] }, periodSeconds: 1 };
  const spec = { terminationGracePeriodSeconds: 0, containers: [{ name: "test", image: context.image, command, readinessProbe }] };
  await context.applyTo(namespace, { apiVersion: "v1", kind: "Pod", metadata, spec });
  const pod = ["--namespace", namespace, `pod/${metadata.name}`];
  await context.kubectl("wait", ...pod, "--for=condition=Ready", "--timeout=60s");
  return context.kubectl("get", ...pod, "--output", "jsonpath={.status.podIP}");
}

/** On the node, as if its cloud did. */
async function listenLinkLocal(): Promise<void> {
  const { inNode } = enterNode(context.cluster.name);
  const address = (verb: string) => runCommand("nsenter", [...inNode, "ip", "address", verb, `${LINK_LOCAL}/32`, "dev", "lo"]);
  await address("replace");
  stack.defer(async () => void (await address("delete")));
  const listening = Promise.withResolvers<void>();
  const ports = [80, 53].map((port) => `${LINK_LOCAL}:${port}`);
  const onLine = (line: string) => line === "listening" && listening.resolve();
  const child = await findTestKubelet(context.cluster.name).startBeside(process.execPath, ["-e", LISTENER, ...ports], onLine);
  stack.defer(async () => void (await child.stop()));
  void child.exited.then(() => listening.reject(new Error(child.log())));
  await listening.promise;
}

async function serviceAddress(name: string, namespace = context.namespace): Promise<string> {
  const output = "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}";
  return context.kubectl("get", "--namespace", namespace, "service", name, "--output", output);
}

async function hold(job: string): Promise<string[]> {
  const build = zuul.launch({ job });
  const { number } = await build.started;
  await build.waitFor("update", ({ numerator }) => numerator === "4");
  stack.defer(async () => {
    await kubectl("delete", "job", String(number), "--cascade=foreground", "--timeout=60s");
  });
  return ["--namespace", context.namespace, `job/${number}`, "--container", "test"];
}

async function setUp(): Promise<void> {
  const { hostAddress, nodeAddress } = context.cluster;
  const gearmand = await startGearmand({ listen: hostAddress });
  stack.defer(() => gearmand.stop());
  const root = await mkdtemp(join(tmpdir(), "th-policies-"));
  stack.defer(() => rm(root, { recursive: true, force: true }));
  const project = await createGitRepository(root, "org/project");
  await project.commit("master", "first", {});
  change = await project.change("master", "second", { file: "from git\n" });
  git = await startGitDaemon(root, { host: hostAddress });
  stack.defer(() => git.stop());
  files = await mkdtemp(join(tmpdir(), "th-policies-"));
  stack.defer(() => rm(files, { recursive: true, force: true }));
  // A volume of this kind has no group of its own.
  await chmod(files, 0o777);
  await context.apply(claimVolume(context.namespace, `${DEPLOYMENT}-logs`, files));
  stack.defer(async () => void (await context.kubectl("delete", "persistentvolume", context.namespace, "--wait=false")));
  await listenLinkLocal();
  const other = `${context.namespace}-other`;
  await context.kubectl("create", "namespace", other);
  stack.defer(async () => void (await context.kubectl("delete", "namespace", other, "--wait=false")));
  const stranger = await startListener(other, { name: "stranger" }, [8000, 6443, gearmand.port]);
  pods.stranger = ["--namespace", other, "stranger"];

  const holds = "until [ -e /tmp/go ]; do sleep 0.1; done";
  await context.apply(testTask("build", holds), testTask("own", holds, { labels: { network: "builds-only" } }));
  values = [
    ...["--set", `config.gearman.servers={${gearmand.address}}`, "--set", "config.logs.store=files", "--set", "config.drain=10s"],
    ...[...imageValues(context.image), "image.pullPolicy=Never"].flatMap((value) => ["--set", value]),
  ];
  stack.defer(async () => void (await context.helm("uninstall", RELEASE, "--ignore-not-found", "--wait", "--cascade", "foreground")));
  // The definition is there already, as kubectl applied it.
  await context.helm("install", RELEASE, CHART, ...values, "--take-ownership", "--wait", "--timeout", "2m");
  zuul = stack.use(await startZuulLauncher({ server: gearmand.address, patient: true }));
  [pods.build, pods.own] = await Promise.all([hold("build"), hold("own")]);
  const selector = `app.kubernetes.io/instance=${RELEASE}`;
  const operator = await kubectl("get", "pods", "--selector", selector, "--output", "jsonpath={.items[0].status.podIP}");
  targets = {
    Gearman: gearmand.address,
    "Gearman's port of a pod": `${stranger}:${gearmand.port}`,
    "the API server": `${nodeAddress}:6443`,
    "the API server's Service": await serviceAddress("kubernetes", "default"),
    "the API server's port of a pod": `${stranger}:6443`,
    "the kubelet": `${nodeAddress}:10250`,
    "link-local addresses": `${LINK_LOCAL}:80`,
    "names, link-local": `${LINK_LOCAL}:53`,
    git: `${hostAddress}:${git.port}`,
    "another pod": `${stranger}:8000`,
    "the operator's internal port": `${operator}:8081`,
    "the operator's internal Service": await serviceAddress(`${DEPLOYMENT}-internal`),
    "the operator's public port": `${operator}:8080`,
    "the operator's public Service": await serviceAddress(DEPLOYMENT),
  };
}

/** Which of the targets it cannot connect to. */
async function closedTo(pod: keyof typeof pods): Promise<string[]> {
  const told = await context.kubectl("exec", ...pods[pod], "--", "node", "-e", PROBE, ...Object.values(targets));
  const closed: string[] = JSON.parse(told);
  return Object.keys(targets).filter((target) => closed.includes(targets[target] ?? ""));
}

/** Kube-router needs a moment for what is new. */
async function assertClosed(expected: Record<keyof typeof pods, readonly string[]>): Promise<void> {
  let seen: Partial<Record<keyof typeof pods, string[]>> = {};
  await waitUntil("connections to end as they should", LIMIT_MS, async () => {
    const [build, own, stranger] = await Promise.all([closedTo("build"), closedTo("own"), closedTo("stranger")]);
    seen = { build, own, stranger };
    return isDeepStrictEqual(seen, expected);
  }).catch(() => {});
  assert.deepEqual(seen, expected);
}

const ALWAYS_CLOSED = [
  ...["Gearman", "Gearman's port of a pod", "the API server", "the API server's Service", "the API server's port of a pod"],
  ...["the kubelet", "link-local addresses"],
];
const PUBLIC = ["the operator's public port", "the operator's public Service"];
const INTERNAL = ["the operator's internal port", "the operator's internal Service"];

describe("the chart's NetworkPolicies where a network enforces them", () => {
  before(setUp);
  after(() => stack.disposeAsync());

  async function assertBuilds(): Promise<void> {
    const { result, number, attempts } = await zuul.launch({
      job: "kept",
      project: "org/project",
      url: git.url,
      params: { ZUUL_REF: change.ref, ZUUL_COMMIT: change.commit },
    }).completed;
    assert.deepEqual([result, attempts], ["SUCCESS", 1]);
    let directory: string | undefined;
    await waitUntil("all of it on the claim", LIMIT_MS, async () => {
      const job = JSON.parse(await kubectl("get", "job", String(number), "--output", "json"));
      directory = JSON.parse(job.metadata.annotations?.["turbo-hipster.io/stored"] ?? "{}").directory;
      return directory !== undefined;
    });
    assert.equal(await readFile(join(files, String(directory), "artifacts/kept.txt"), "utf8"), "from git\n");
  }

  test("everything is open as long as nothing enforces them", async () => {
    await assertClosed({ build: [], own: [], stranger: [] });
  });

  test("with the chart's own values a build reaches neither Gearman, API server, kubelet nor link-local addresses, and all else", async () => {
    stack.use(await startKubeRouter(context.cluster));
    await assertClosed({ build: ALWAYS_CLOSED, own: [], stranger: [] });
  });

  test("a build checks out and leaves artifacts, for which it finds the operator by its Service's name", async () => {
    await context.apply(testTask("kept", "cp file kept.txt", { checkout: {}, artifacts: { paths: ["kept.txt"] } }));
    await assertBuilds();
  });

  test("with the pods' range the operator's public port is closed to builds, and with its policy the internal one to all but builds", async () => {
    const { pods: podRange, services } = enterNode(context.cluster.name);
    const ranges = `networkPolicy.podRanges={${podRange},${services}}`;
    await context.helm("upgrade", RELEASE, CHART, ...values, "--set", ranges, "--set", "networkPolicy.operator.enabled=true", "--wait");
    await assertClosed({ build: [...ALWAYS_CLOSED, ...PUBLIC], own: [], stranger: INTERNAL });
    await assertBuilds();
  });

  test("a build with a policy of its own, as the example with databases has one, reaches what that opens and nothing else", async () => {
    const example = parse(await readFile(join(EXAMPLE, "network-policy.yaml"), "utf8"));
    const [, merger, operator] = example.spec.egress;
    merger.to[0].ipBlock.cidr = `${context.cluster.hostAddress}/32`;
    merger.ports[0].port = git.port;
    operator.to[0].namespaceSelector.matchLabels[NAMESPACE_NAME] = context.namespace;
    await context.apply(example);
    const open = ["git", ...INTERNAL];
    const own = Object.keys(targets).filter((target) => !open.includes(target));
    await assertClosed({ build: [...ALWAYS_CLOSED, ...PUBLIC], own, stranger: INTERNAL });
  });

  test("the policy of the chart's own gearmand leaves its port to the operator and to the clients that the values name", async () => {
    const policy = async (clients: object[]) => {
      const given = ["--set", "gearmand.enabled=true", "--set-json", `gearmand.clients=${JSON.stringify(clients)}`];
      const rendered = await context.helm("template", RELEASE, CHART, ...values, ...given, "--show-only", "templates/gearmand.yaml");
      return parseAllDocuments(rendered)
        .map((document) => document.toJS())
        .find(({ kind }) => kind === "NetworkPolicy");
    };
    const closed = await policy([]);
    const played = { name: "gearmand", labels: closed.spec.podSelector.matchLabels };
    const address = `${await startListener(context.namespace, played, [4730])}:4730`;
    const operator = ["--namespace", context.namespace, `deployment/${DEPLOYMENT}`];
    const reaching = async () => {
      const told = [pods.build, pods.stranger, operator].map((pod) => context.kubectl("exec", ...pod, "--", "node", "-e", PROBE, address));
      const [build, stranger, own] = (await Promise.all(told)).map((text) => JSON.parse(text).length === 0);
      return { build, stranger, operator: own };
    };
    const untilReaching = async (expected: Awaited<ReturnType<typeof reaching>>) => {
      await waitUntil("that policy to hold", LIMIT_MS, async () => isDeepStrictEqual(await reaching(), expected)).catch(() => {});
      assert.deepEqual(await reaching(), expected);
    };
    await untilReaching({ build: true, stranger: true, operator: true });
    await context.apply(closed);
    await untilReaching({ build: false, stranger: false, operator: true });
    await context.apply(await policy([{ namespaceSelector: { matchLabels: { [NAMESPACE_NAME]: `${context.namespace}-other` } } }]));
    await untilReaching({ build: false, stranger: true, operator: true });
  });
});
