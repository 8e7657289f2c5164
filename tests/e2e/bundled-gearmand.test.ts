import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { loadImage } from "../../deploy/local/local-cluster.ts";
import { ensureGearmandImage } from "../../tools/gearmand-image.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { imageValues } from "../support/chart/image-values.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { adminStatus } from "../support/gearman/gearman-server.ts";
import { tellProgress } from "../support/progress.ts";
import { startZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const ROOT = join(import.meta.dirname, "../..");
const CHART = join(ROOT, "charts/turbo-hipster");
const RELEASE = "th";
const OPERATOR = "deployment/th-turbo-hipster";
const GEARMAND = "th-turbo-hipster-gearmand";
const PODS = `app.kubernetes.io/instance=${RELEASE},app.kubernetes.io/name=turbo-hipster-gearmand`;
const LIMIT_MS = 60_000;

const context = useTestCluster("gearmand");

function kubectl(...args: string[]): Promise<string> {
  return context.kubectl("--namespace", context.namespace, ...args);
}

function inOperator(...command: string[]): Promise<string> {
  return kubectl("exec", OPERATOR, "--container", "operator", "--", "turbo-hipster", ...command);
}

async function serviceIp(name: string): Promise<string> {
  return kubectl("get", "service", name, "--output", "jsonpath={.spec.clusterIP}");
}

/** What of the gearmand that ran in its pod before is known. */
async function lastEnd(): Promise<{ exitCode?: number }> {
  const { items } = JSON.parse(await kubectl("get", "pods", "--selector", PODS, "--output", "json"));
  return items[0]?.status.containerStatuses?.[0]?.lastState?.terminated ?? {};
}

describe("the chart's own Gearman server", () => {
  /** The Service, as what has no names reaches it. */
  let address: string;
  /** As the operator is told. */
  let server: string;

  before(async () => {
    await context.kubectl("label", "namespace", context.namespace, "pod-security.kubernetes.io/enforce=restricted");
    const gearmand = await ensureGearmandImage({ log: tellProgress });
    await loadImage(context.cluster.name, gearmand.archive);
    await context.apply(
      context.testTask("hello", 'echo "this is $TH_JOB_NAME"'),
      context.testTask("waits", "echo begins; until [ -e /tmp/go ]; do sleep 0.1; done; echo ends"),
    );
    const images = [...imageValues(context.image), ...imageValues(gearmand.tag, "gearmand.image")];
    await context.helm(
      ...["install", RELEASE, CHART, "--take-ownership", "--values", join(ROOT, "deploy/examples/values-local.yaml")],
      ...["replicas=1", "gearmand.enabled=true", ...images, "gearmand.image.pullPolicy=Never"].flatMap((value) => ["--set", value]),
    );
    address = `${await serviceIp(GEARMAND)}:4730`;
    server = `${GEARMAND}.${context.namespace}.svc:4730`;
    for (const name of [OPERATOR, `deployment/${GEARMAND}`]) await kubectl("rollout", "status", name, "--timeout=2m");
  });
  after(async () => {
    await context.helm("uninstall", RELEASE, "--ignore-not-found", "--wait");
  });

  async function isServed(name: string): Promise<void> {
    const workers = async () => (await adminStatus(address).catch(() => new Map())).get(`build:${name}`)?.workers ?? 0;
    await waitUntil(`${name}'s job`, LIMIT_MS, async () => (await workers()) > 1);
  }

  test("is PID 1 of a pod that Pod Security takes, and ends well when it is told to", async () => {
    assert.equal(await kubectl("exec", `deployment/${GEARMAND}`, "--", "cat", "/proc/1/comm"), "gearmand\n");
    await isServed("hello");
    await kubectl("exec", `deployment/${GEARMAND}`, "--", "sh", "-c", "kill -TERM 1");
    await waitUntil("its end", LIMIT_MS, async () => (await lastEnd()).exitCode !== undefined);
    assert.equal((await lastEnd()).exitCode, 0);
    await isServed("hello");
  });

  test("a build that is submitted from the operator's pod goes through it, and doctor finds it well", async () => {
    assert.match(await inOperator("submit", "hello", "--server", server), /SUCCESS/);
    const { findings } = JSON.parse(await inOperator("doctor", "--json")) as { findings: { what: string; state: string }[] };
    const amiss = findings.filter(({ state }) => state !== "ok" && state !== "unseen");
    assert.deepEqual(
      amiss.map(({ what }) => what),
      ["publicUrl"],
      JSON.stringify(findings),
    );
    assert.ok(findings.some(({ what, state }) => what === `${server} operator` && state === "ok"));
  });

  test("its pod is lost under a running build: Zuul launches that again, and the pod that runs answers", async () => {
    await using zuul = await startZuulLauncher({ server: address, patient: true });
    const build = zuul.launch({ job: "waits" });
    const { number } = await build.started;
    await waitUntil("the test to begin", LIMIT_MS, async () => /begins/.test(await kubectl("logs", `job/${number}`).catch(() => "")));
    await kubectl("delete", "pod", "--selector", PODS, "--wait=false");
    const isAgain = (uuid: string) => uuid !== build.events.find((event) => event.event === "launched")?.uuid;
    await build.waitFor("started", ({ uuid }) => isAgain(uuid));
    await kubectl("exec", `job/${number}`, "--", "touch", "/tmp/go");
    const completed = await build.completed;
    assert.deepEqual([completed.result, completed.attempts, completed.number], ["SUCCESS", 2, number]);
    const jobs = await kubectl("get", "jobs", "--selector", "turbo-hipster.io/task=waits", "--output", "name");
    assert.equal(jobs, `job.batch/${number}\n`);
  });

  test("helm uninstalls it with all that belongs to it", async () => {
    await context.helm("uninstall", RELEASE, "--wait", "--cascade", "foreground");
    const kinds = "deployments,replicasets,pods,services,endpointslices,networkpolicies,configmaps,secrets";
    await waitUntil("its objects to be gone", LIMIT_MS, async () => {
      return !/gearmand/.test(await kubectl("get", kinds, "--output", "name"));
    });
  });
});
