import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulBuildSpec, type ZuulCompleted, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const context = useTestCluster("test-task");

/** Answers on a port two seconds after its start, and says when it is told to end. */
const SLOW_SERVICE = `
process.on("SIGTERM", () => { console.log("service got TERM"); process.exit(0); });
const answer = (socket) => socket.on("error", () => {}).end("answer"); // a probe may reset its connection
setTimeout(() => require("node:net").createServer(answer).listen(8000), 2000);`;
/** Fails at once when nothing listens there. */
const ASK_SERVICE = `node -e 'require("node:net").connect(8000).on("data", (data) => process.exit(data == "answer" ? 0 : 1))'`;

describe("a TestTask on the real kubelet", () => {
  let server: GearmanServer;
  let operator: OperatorProcess;
  let zuul: ZuulLauncher;
  let priorityClass: string;

  before(async () => {
    priorityClass = `${context.namespace}-low`;
    server = await startGearmand();
    await context.apply(
      { apiVersion: "v1", kind: "Secret", metadata: { name: "credentials" }, stringData: { password: "s3cr$t", TOKEN: "from secret" } },
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings" }, data: { "url.txt": "http://x", LEVEL: "high" } },
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "tester" } },
    );
    await context.kubectl("create", "priorityclass", priorityClass, "--value=-10");
    operator = await startOperator({
      kubeconfig: context.cluster.kubeconfig,
      config: {
        installation: "test-task",
        namespaces: [context.namespace],
        image: context.image,
        gearman: { servers: [server.address] },
      },
    });
    zuul = await startZuulLauncher({ server: server.address, patient: true });
  });

  after(async () => {
    await zuul?.stop();
    await operator?.stop();
    await server?.stop();
    if (priorityClass) await context.kubectl("delete", "priorityclass", priorityClass, "--ignore-not-found");
  });

  async function applyTask(name: string, spec: object): Promise<void> {
    await context.apply({
      apiVersion: "turbo-hipster.io/v1alpha1",
      kind: "TestTask",
      metadata: { name },
      spec: { image: context.image, ...spec },
    });
  }

  async function get(kind: string, ...selection: string[]) {
    return JSON.parse(await context.kubectl("get", kind, ...selection, "--namespace", context.namespace, "-o", "json"));
  }

  async function podOf(number: unknown) {
    return (await get("pods", "--selector", `job-name=${number}`)).items[0];
  }

  /** Makes the task and runs one build of it. */
  async function run(name: string, spec: object, launch: Partial<ZuulBuildSpec> = {}): Promise<ZuulCompleted> {
    await applyTask(name, spec);
    return zuul.launch({ job: name, attempts: 1, ...launch }).completed;
  }

  test("starts the test when its services are ready, and ends them after it", async () => {
    const completed = await run("services", {
      script: ASK_SERVICE,
      services: [
        {
          name: "slow",
          image: context.image,
          command: ["node", "-e", SLOW_SERVICE],
          ports: [{ containerPort: 8000 }],
          ready: { tcpSocket: { port: 8000 } },
        },
      ],
    });
    const log = await context.kubectl("logs", "--namespace", context.namespace, `job/${completed.number}`, "--container", "slow");
    assert.equal(completed.result, "SUCCESS", log);
    const pod = await podOf(completed.number);
    await context.kubectl("wait", `pod/${pod.metadata.name}`, "--namespace", context.namespace, "--for=jsonpath={.status.phase}=Succeeded");
    assert.match(
      await context.kubectl("logs", "--namespace", context.namespace, `job/${completed.number}`, "--container", "slow"),
      /service got TERM/,
    );
  });

  test("fails a failing test although its service goes on running", async () => {
    const services = [{ name: "idle", image: context.image, command: ["node", "-e", SLOW_SERVICE] }];
    assert.equal((await run("service-idle", { script: "exit 7", services })).result, "FAILURE");
  });

  test("gives the test its Secrets and ConfigMaps, and the request wins over envFrom, env over the request", async () => {
    const completed = await run(
      "environment",
      {
        script: `
          [ "$PASSWORD" = 's3cr$t' ]
          [ "$URL" = http://x ]
          [ "$S_TOKEN" = 'from secret' ]
          [ "$LEVEL" = 'from request' ]
          [ "$FIXED" = 'from task' ]
          [ -z "\${OPTIONAL+x}" ]`,
        env: [
          { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "credentials", key: "password" } } },
          { name: "URL", valueFrom: { configMapKeyRef: { name: "settings", key: "url.txt" } } },
          { name: "OPTIONAL", valueFrom: { secretKeyRef: { name: "none", key: "none", optional: true } } },
          { name: "FIXED", value: "from task" },
        ],
        envFrom: [{ prefix: "S_", secretRef: { name: "credentials" } }, { configMapRef: { name: "settings" } }],
      },
      { params: { LEVEL: "from request", FIXED: "from request", OPTIONAL: "from request" } },
    );
    assert.equal(completed.result, "SUCCESS");
  });

  test("runs as who the security context says", async () => {
    const script = `[ "$(id -u):$(id -g)" = 0:2000 ] && apt-config dump >/dev/null && chown 1234 "$HOME"`;
    const securityContext = { runAsUser: 0, runAsGroup: 2000, capabilities: { add: ["CHOWN"], drop: ["ALL"] } };
    assert.equal((await run("root", { script, securityContext })).result, "SUCCESS");
    assert.equal((await run("not-root", { script: `[ "$(id -u)" = 1000 ] && ! chown 1234 "$HOME"` })).result, "SUCCESS");
  });

  test("carries labels, annotations, service account, priority and the node label's resources to Job and pod", async () => {
    const completed = await run(
      "dressed",
      {
        script: "exit 0",
        labels: { team: "nova", "example.com/queue": "ci" },
        annotations: { "example.com/cost": "4711" },
        serviceAccountName: "tester",
        priorityClassName: priorityClass,
        resources: { limits: { memory: "256Mi" } },
        nodeLabels: [{ name: "large", resources: { limits: { memory: "512Mi" } } }],
        checkout: { enabled: false, path: "/src" },
      },
      { params: { ZUUL_NODE: "large" } },
    );
    assert.equal(completed.result, "SUCCESS");
    const job = await get("job", String(completed.number));
    const pod = await podOf(completed.number);
    for (const { metadata } of [job, pod]) {
      assert.equal(metadata.labels.team, "nova");
      assert.equal(metadata.labels["example.com/queue"], "ci");
      assert.equal(metadata.labels["turbo-hipster.io/task"], "dressed");
      assert.equal(metadata.annotations["example.com/cost"], "4711");
    }
    assert.equal(pod.metadata.annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"], "false");
    assert.equal(pod.metadata.annotations["karpenter.sh/do-not-disrupt"], "true");
    assert.deepEqual([pod.spec.serviceAccountName, pod.spec.priority], ["tester", -10]);
    assert.equal(pod.spec.containers[0].resources.limits.memory, "512Mi");
    assert.equal(pod.spec.containers[0].workingDir, "/src");
    assert.equal(
      pod.spec.volumes.some(({ projected }: { projected?: object }) => projected),
      false,
      "no service account token",
    );
  });

  test("refuses builds of other pipelines before any Job, and tells in an event", async () => {
    const taken = await run("gated", { script: "exit 0", pipelines: ["gate"] }, { pipeline: "gate" });
    assert.equal(taken.result, "SUCCESS");
    const refused = await zuul.launch({ job: "gated", pipeline: "check" }).completed;
    assert.deepEqual(
      [refused.result, refused.attempts],
      ["CONFIG_ERROR - pipeline check is none of those that TestTask gated takes builds of", 1],
    );
    const jobs = await get("jobs", "--selector", "turbo-hipster.io/task=gated");
    assert.deepEqual(
      jobs.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name),
      [taken.number],
    );
    await context.kubectl(
      ...["wait", "event", "--namespace", context.namespace, "--for=jsonpath={.involvedObject.name}=gated", "--timeout=30s"],
      ...["--field-selector", "involvedObject.kind=TestTask,involvedObject.name=gated,reason=BuildRefused"],
    );
    assert.match(
      await context.kubectl("describe", "tt", "gated", "--namespace", context.namespace),
      /Warning\s+BuildRefused\s+.*refuses a build of gated: pipeline check is none of those/,
    );
  });

  test("with checks is refused where no logs are kept: a build without them could pass that should fail", async () => {
    const completed = await run("checked", { script: "exit 0", checks: [{ name: "a", pattern: { regex: "a" } }] });
    assert.equal(completed.result, "CONFIG_ERROR - TestTask checked has checks, and this installation keeps no logs - set logs.store");
    assert.deepEqual((await get("jobs", "--selector", "turbo-hipster.io/task=checked")).items, []);
  });

  describe("under a running build", () => {
    /** Runs until the test lets it go on, and then passes. */
    const WAITS = 'trap "exit 99" TERM; until [ -e "$HOME/go" ]; do sleep 0.1; done';

    const changes: [string, (name: string) => Promise<unknown>][] = [
      [
        "may be edited in everything",
        (name) =>
          applyTask(name, {
            image: "localhost/no-such-image:1",
            script: "exit 1",
            pipelines: ["gate"],
            timeouts: { pull: "1s", run: "1s" },
            securityContext: { runAsUser: 0 },
            labels: { edited: "yes" },
            maxConcurrent: 1,
          }),
      ],
      ["may become one that is refused", (name) => applyTask(name, { script: WAITS, priorityClassName: "missing" })],
      ["may be suspended", (name) => applyTask(name, { script: WAITS, suspend: true })],
      ["may serve another job", (name) => applyTask(name, { script: WAITS, jobs: ["something-else"] })],
      [
        "may be renamed",
        async (name) => {
          await context.kubectl("delete", "testtask", name, "--namespace", context.namespace);
          await applyTask("new-name", { script: "exit 1", jobs: [name] });
        },
      ],
      ["may be deleted", (name) => context.kubectl("delete", "testtask", name, "--namespace", context.namespace)],
      [
        "may be deleted and made anew",
        async (name) => {
          await context.kubectl("delete", "testtask", name, "--namespace", context.namespace);
          await applyTask(name, { script: "exit 1" });
        },
      ],
    ];
    for (const [sentence, change] of changes) {
      test(sentence, async () => {
        const name = sentence.replaceAll(/[^a-z]+/g, "-").slice(0, 40);
        await applyTask(name, { script: WAITS });
        const build = zuul.launch({ job: name, attempts: 1 });
        const { number } = await build.started;
        await build.waitFor("update", ({ numerator }) => numerator === "4");
        const podBefore = await podOf(number);
        const jobBefore = await get("job", String(number));
        const marker = `marker-${name}`.slice(0, 40);
        await change(name);
        // A task that is made after the change and told of: by then the operator has seen the change.
        await applyTask(marker, { script: "exit 0" });
        await context.kubectl("wait", `testtask/${marker}`, "--namespace", context.namespace, "--for=condition=Ready", "--timeout=30s");
        const podAfter = await podOf(number);
        assert.deepEqual(
          [podAfter.metadata.uid, podAfter.spec, podAfter.status.phase],
          [podBefore.metadata.uid, podBefore.spec, "Running"],
        );
        assert.deepEqual((await get("job", String(number))).spec, jobBefore.spec);
        await context.kubectl(
          "exec",
          "--namespace",
          context.namespace,
          podBefore.metadata.name,
          "--container",
          "test",
          "--",
          "touch",
          "/workspace/go",
        );
        const completed = await build.completed;
        assert.deepEqual([completed.result, completed.number, completed.attempts], ["SUCCESS", number, 1]);
      });
    }
  });
});
