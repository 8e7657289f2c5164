import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connectGearmanClient, type SubmissionEvent } from "../../src/gearman/client/gearman-client.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { startGeard } from "../support/gearman/geard.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { splitGerritCommand } from "../support/zuul/gerrit-command.ts";
import { startZuulLauncher, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const context = useTestCluster("main-job");

function testTask(name: string, spec: object): object {
  return { apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name }, spec: { image: context.image, ...spec } };
}

/** Every packet of one build as a raw client sees it. */
async function submitRaw(server: string, functionName: string, payload: string | Buffer): Promise<SubmissionEvent[]> {
  await using client = await connectGearmanClient({ server, clock: systemClock });
  const events: SubmissionEvent[] = [];
  const submission = client.submit({
    functionName,
    unique: `raw-${Date.now()}-${Math.random().toString(36).slice(2)}`,
    payload,
    onEvent: (event) => events.push(event),
  });
  await submission.ended;
  return events;
}

function dataOf(events: readonly SubmissionEvent[]): Record<string, unknown>[] {
  return events.flatMap((event) => (event.kind === "data" ? [JSON.parse(event.payload.toString())] : []));
}

for (const start of [startGearmand, startGeard]) {
  describe(`a build through ${start === startGearmand ? "gearmand" : "geard"}`, () => {
    let server: GearmanServer;
    let operator: OperatorProcess;
    let zuul: ZuulLauncher;
    let nodes: string[];

    before(async () => {
      nodes = (await context.kubectl("get", "nodes", "--output=name")).trim().split("\n");
      server = await start();
      await context.apply(
        testTask("passes", { script: "echo hello; exit 0" }),
        testTask("fails", { script: "exit 3" }),
        testTask("says-why", { script: "echo '3 of 12 tests: failed' > $TH_RESULT_FILE; exit 1" }),
        testTask("adds-options", { script: `printf '%s' 'x" --label Verified=2 --submit "Prüfung' > $TH_RESULT_FILE; exit 1` }),
        testTask("claims-success", { script: "echo SUCCESS > $TH_RESULT_FILE; exit 1" }),
        testTask("too-slow", { script: "trap 'exit 0' TERM; sleep 600 & wait", timeouts: { run: "2s" } }),
        testTask("handles-term", { script: "trap 'echo got TERM; exit 0' TERM; echo waiting; sleep 600 & wait" }),
        testTask("shows-parameters", {
          script: 'printf %s "$VALUE" | sha256sum > $TH_RESULT_FILE; sha256sum < $TH_PARAMETERS_FILE >> $TH_RESULT_FILE; exit 1',
        }),
        testTask("labelled", { script: "exit 0", nodeLabels: [{ name: "bionic" }] }),
        testTask("limited", { script: "exit 0", maxConcurrent: 1 }),
        testTask("suspended", { script: "exit 0", suspend: true }),
      );
      operator = await startOperator({
        kubeconfig: context.cluster.kubeconfig,
        config: {
          installation: server.kind,
          namespaces: [context.namespace],
          image: context.image,
          gearman: { servers: [server.address] },
        },
      });
      zuul = await startZuulLauncher({ server: server.address, settle: true });
    });
    after(async () => {
      await zuul?.stop();
      assert.equal(await operator?.stop(), 0, "the operator ends cleanly");
      await server?.stop();
    });

    const results: [string, string, string][] = [
      ["exit code 0 is SUCCESS", "passes", "SUCCESS"],
      ["another exit code is FAILURE", "fails", "FAILURE"],
      ["the test's own sentence is the result", "says-why", "3 of 12 tests - failed"],
      ["a sentence adds nothing to the review, and can be mailed", "adds-options", "x --label Verified=2 --submit Prufung"],
      ["a failing test that says SUCCESS is a FAILURE", "claims-success", "FAILURE"],
      ["a test over its run timeout is TIMED_OUT, even if it then exits 0", "too-slow", "TIMED_OUT"],
      ["a task with a limit of its own is served", "limited", "SUCCESS"],
    ];
    for (const [name, job, result] of results) {
      test(name, async () => {
        const completed = await zuul.launch({ job }).completed;
        assert.deepEqual([completed.result, completed.attempts], [result, 1]);
        assert.ok(nodes.includes(`node/${completed.nodeName}`), `${completed.nodeName} is one of ${nodes}`);
        assert.match(completed.url ?? "", new RegExp(`/builds/${completed.number}$`));
        const vote = `verified=${result === "SUCCESS" ? 1 : -1}`;
        const [message, ...options] = splitGerritCommand(completed.review ?? "").slice(5);
        assert.deepEqual(options, ["--label", vote, "1234,1"], message);
        assert.ok(completed.mail?.endsWith(String(message)), completed.mail ?? "");
      });
    }

    test("a node label's function is served, and named in the result", async () => {
      const completed = await zuul.launch({ job: "labelled", params: { ZUUL_NODE: "bionic" } }).completed;
      assert.deepEqual([completed.result, completed.nodeLabels], ["SUCCESS", ["bionic"]]);
    });

    test("stop ends a running test with TERM, and its log stays readable until the answer", async () => {
      const build = zuul.launch({ job: "handles-term" });
      const { number } = await build.started;
      await build.waitFor("update", ({ numerator }) => numerator === "4");
      await build.cancel();
      await build.waitFor("answered");
      assert.match(await context.kubectl("logs", "--namespace", context.namespace, `job/${number}`), /got TERM/);
      const job = JSON.parse(await context.kubectl("get", "job", "--namespace", context.namespace, String(number), "-o", "json"));
      assert.ok(job.metadata.annotations["turbo-hipster.io/cancelled"]);
    });

    test("a suspended task stays registered and takes nothing until it is resumed", async () => {
      const suspend = (isSuspended: boolean) => {
        const patch = JSON.stringify({ spec: { suspend: isSuspended } });
        return context.kubectl("patch", "testtask", "suspended", "--namespace", context.namespace, "--type", "merge", "-p", patch);
      };
      const build = zuul.launch({ job: "suspended" });
      const after = await zuul.launch({ job: "passes" }).completed;
      assert.equal(after.result, "SUCCESS");
      assert.equal(
        build.events.some(({ event }) => event === "started"),
        false,
      );
      await suspend(false);
      assert.equal((await build.completed).result, "SUCCESS");
      await suspend(true);
    });

    test("the packets are those that Zuul needs, in their order", async () => {
      const events = await submitRaw(server.address, "build:passes", "{}");
      const kinds = events.map(({ kind }) => kind);
      assert.deepEqual(kinds.slice(0, 3), ["created", "data", "status"]);
      assert.deepEqual(kinds.slice(-2), ["data", "complete"]);
      const data = dataOf(events);
      const last = data.at(-1);
      for (const early of data.slice(0, -1)) assert.equal("result" in early, false, "no result before the end");
      for (const each of data) {
        assert.ok(each.url && each.manager && each.number && each.name === "passes");
      }
      assert.equal(last?.result, "SUCCESS");
      const end = events.at(-1);
      assert.deepEqual(end?.kind === "complete" && JSON.parse(end.payload.toString()), last);
    });

    test("parameters arrive byte for byte, in the environment and in the file", async () => {
      const value = "$(SECRET) $$ $HOME `id` \"quoted\" 'single' \\ é😀\n\ttab";
      const payload = `{ "VALUE": ${JSON.stringify(value)}, "PATH": "/evil", "TH_RESULT_FILE": "/evil", "a-b": {"c": [1, null]} }`;
      const sha256 = async (text: string) => Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(text))).toString("hex");
      const events = await submitRaw(server.address, "build:shows-parameters", payload);
      assert.equal(dataOf(events).at(-1)?.result, `${await sha256(value)} -`.replace(/ -$/, ""));
      const number = dataOf(events).at(-1)?.number;
      const pods = JSON.parse(
        await context.kubectl("get", "pods", "--namespace", context.namespace, "-l", `job-name=${number}`, "-o", "json"),
      );
      assert.match(pods.items[0].status.containerStatuses[0].state.terminated.message, new RegExp(await sha256(payload)));
    });

    const bad: [string, string | Buffer, string][] = [
      ["no JSON", "ZUUL", "CONFIG_ERROR - the parameters of the request are not JSON at character 1"],
      ["no object", "[1]", "CONFIG_ERROR - the parameters of the request are no JSON object"],
      ["NUL bytes", Buffer.from('{"a":"\0"}'), "CONFIG_ERROR - the parameters of the request are not JSON at character 6"],
      ["5 MB", JSON.stringify({ a: "x".repeat(5e6) }), "CONFIG_ERROR - parameters of 4883 KiB are over the limit of 128 KiB"],
    ];
    for (const [name, payload, result] of bad) {
      test(`a payload of ${name} is answered with the reason`, async () => {
        const events = await submitRaw(server.address, "build:passes", payload);
        assert.deepEqual([events.at(-1)?.kind, dataOf(events).at(-1)?.result], ["complete", result]);
      });
    }

    test("twenty builds at once each get their own right result", async () => {
      const jobs = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? "passes" : "fails"));
      const completed = await Promise.all(jobs.map((job) => zuul.launch({ job }).completed));
      assert.deepEqual(
        completed.map(({ result }) => result),
        jobs.map((job) => (job === "passes" ? "SUCCESS" : "FAILURE")),
      );
      assert.equal(new Set(completed.map(({ number }) => number)).size, 20);
    });

    test("a build whose Job somebody deletes is run again by Zuul", async () => {
      const build = zuul.launch({ job: "handles-term" });
      const { number } = await build.started;
      await build.waitFor("update", ({ numerator }) => numerator === "4");
      await context.kubectl("delete", "job", "--namespace", context.namespace, String(number), "--wait=false");
      const ended = await build.waitFor("ended");
      assert.deepEqual([ended.result, ended.retry], [null, true]);
      const again = await build.waitFor("started", ({ number: next }) => next !== number);
      assert.notEqual(again.uuid, ended.uuid);
      await build.cancel();
      await build.waitFor("answered", ({ uuid }) => uuid === again.uuid);
    });

    test("kubectl get tt tells what is going on", async () => {
      // The status follows within five seconds.
      await context.kubectl(
        "wait",
        "testtask/passes",
        "--namespace",
        context.namespace,
        "--for=jsonpath={.status.active}=0",
        "--timeout=30s",
      );
      const table = await context.kubectl("get", "tt", "--namespace", context.namespace);
      assert.match(table, /NAME\s+SUSPENDED\s+ACTIVE\s+READY\s+REGISTERED\s+LAST RESULT\s+AGE/);
      assert.match(table, /passes\s+false\s+0\s+True\s+True\s+SUCCESS/);
    });
  });
}
