import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startGeard } from "../../../support/gearman/geard.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { connectTestClient, submitBuild } from "../../gearman/worker/link-harness.ts";
import { answerOf, dataOf, NAMESPACE, numberOf, recordOf, startStage } from "../stage.ts";

for (const [kind, start] of [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
] as const) {
  describe(`a build through ${kind}`, () => {
    test("is accepted at once, made a Job, followed, answered and recorded", async () => {
      await using stage = await startStage({ start, tasks: { unit: { jobs: ["gate-unit"] } } });
      const build = await stage.submit("gate-unit", { parameters: { ZUUL_PROJECT: "nova" } });
      const answer = await answerOf(build);
      assert.equal(answer.result, "SUCCESS");
      const [first] = dataOf(build);
      const number = String(first?.number);
      assert.match(number, /^unit-[0-9a-f]{16}$/);
      assert.deepEqual([first?.name, first?.manager, first?.worker_program], ["gate-unit", "turbo-hipster-turbo-hipster", "turbo-hipster"]);
      assert.deepEqual([answer.data.node_name, answer.data.node_labels], ["fake-node", []]);
      const steps = build.events.items.flatMap((event) => (event.kind === "status" ? [[event.numerator, event.denominator]] : []));
      assert.deepEqual(steps[0], [0, 6]);
      assert.deepEqual(steps.at(-1), [6, 6]);
      const job = await stage.recorded(number);
      assert.deepEqual(recordOf(job), { rule: "exit-0", result: "SUCCESS", isDelivered: true });
      assert.deepEqual([job.metadata.namespace, job.spec.ttlSecondsAfterFinished], [NAMESPACE, 86_400]);
      assert.equal(stage.pods().length, 1);
    });

    test("of a job with any name that Zuul takes is answered, under that name, and its test is told it", async () => {
      const plain = [
        "gate-c++-unit",
        "gate-py27,py35",
        "gate-docs(html)",
        "folder/gate-nova",
        "@weekly",
        "gate-$(HOME)",
        "gate-na\u00efve",
      ];
      const names = [...plain, "%s", "a'b\"c`d\\e", "<b>&amp;", "x".repeat(200)];
      await using stage = await startStage({ start, tasks: { unit: { jobs: names, nodeLabels: [{ name: "bare/precise+1" }] } } });
      for (const name of [...names, "gate-c++-unit:bare/precise+1"]) {
        const build = await stage.submit(name);
        const answer = await answerOf(build);
        const [jobName = "", label] = name.split(":");
        assert.deepEqual([answer.result, answer.data.name, answer.data.node_labels], ["SUCCESS", jobName, label ? [label] : []], name);
        const job = await stage.recorded(String(answer.data.number));
        const { env } = job.spec.template.spec.containers[0];
        const told = env.find((entry: { name: string }) => entry.name === "TH_JOB_NAME").value;
        assert.equal(told, jobName.replaceAll("$", "$$$$"));
      }
    });
  });
}

describe("a request", () => {
  const start = () => startGearmand();

  const bad: [string, string | Buffer, string][] = [
    ["is no JSON", "ZUUL_UUID=1", "CONFIG_ERROR - the parameters of the request are not JSON at character 1"],
    ["was cut off", '{"a": ', "CONFIG_ERROR - the parameters of the request are not JSON, it ends too early"],
    ["is a list", "[1]", "CONFIG_ERROR - the parameters of the request are no JSON object"],
    ["is null", "null", "CONFIG_ERROR - the parameters of the request are no JSON object"],
    ["holds NUL bytes", Buffer.from('{"a":"\0"}'), "CONFIG_ERROR - the parameters of the request are not JSON at character 6"],
    ["is no UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), "CONFIG_ERROR - the parameters of the request are not UTF-8 text"],
    ["has 5 MB", JSON.stringify({ a: "x".repeat(5e6) }), "CONFIG_ERROR - parameters of 4883 KiB are over the limit of 128 KiB"],
  ];
  test("that cannot be read is answered with the reason, and no Job is made", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    for (const [name, parameters, result] of bad) {
      assert.equal((await answerOf(await stage.submit("unit", { parameters }))).result, result, `one that ${name}`);
    }
    assert.deepEqual(stage.jobs(), []);
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
  });

  test("reaches the pod as it came: the file byte for byte, values with every dollar doubled, no name of ours replaced", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    const parameters =
      '{ "A": "$(SECRET) $$ \\u00e9", "PATH": "/evil", "TH_RESULT_FILE": "/evil", "n": {"a": [1.0, null, NaN]}, "a-b": 1 }';
    await answerOf(await stage.submit("unit", { parameters }));
    const [pod] = stage.pods();
    assert.equal(pod?.metadata.annotations?.["turbo-hipster.io/parameters"], parameters);
    const env = new Map<string, string>(
      pod?.spec.containers[0].env.map(({ name, value }: { name: string; value: string }) => [name, value]),
    );
    assert.deepEqual(
      ["A", "n", "PATH", "a-b", "TH_RESULT_FILE"].map((name) => env.get(name)),
      ["$$(SECRET) $$$$ é", '{"a": [1.0, null, NaN]}', undefined, undefined, "/dev/termination-log"],
    );
  });

  test("without a payload is a build without parameters", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    assert.equal((await answerOf(await stage.submit("unit", { parameters: "" }))).result, "SUCCESS");
    assert.equal(stage.pods()[0]?.metadata.annotations?.["turbo-hipster.io/parameters"], "{}");
  });

  for (const unique of ["", "-", "x".repeat(100), "with space"]) {
    test(`with the unique ${JSON.stringify(unique.slice(0, 12))} is a build of its own`, async () => {
      // gearmand takes none of more than 64 bytes.
      await using stage = await startStage({ start: unique.length > 64 ? startGeard : start, tasks: { unit: {} } });
      const build = await stage.submit("unit", { unique });
      assert.equal((await answerOf(build)).result, "SUCCESS");
      await stage.recorded(await numberOf(build));
    });
  }

  test("is answered in one word where the configuration asks for that, and its Job kept as long as it says", async () => {
    await using stage = await startStage({
      start,
      config: { results: "token", keepJobs: "90s" },
      tasks: { unit: {} },
      script: () => ({ exitCode: 3, message: "2 of 3 failed" }),
    });
    const build = await stage.submit("unit");
    assert.equal((await answerOf(build)).result, "FAILURE");
    assert.equal((await stage.recorded(await numberOf(build))).spec.ttlSecondsAfterFinished, 90);
  });

  test("has a page at every replica while its Job is kept, at the path that Zuul is given", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    await stage.running(number);
    await stage.reached("running");
    const { pathname } = new URL(String(dataOf(build)[0]?.url));
    assert.equal(pathname, `/builds/${number}`);
    const read = async (path: string) => {
      const page = await fetch(`http://127.0.0.1:${stage.operator.ports.public}${path}`, { headers: { connection: "close" } });
      return `${page.status} ${await page.text()}`;
    };
    assert.match(await read(pathname), /^200 .*Its test runs\./s);
    await stage.startOperator();
    await stage.operator.ready();
    assert.match(await read(pathname), /^200 .*Its test runs\./s, "one that stands by knows it, too");
    finished.resolve();
    await answerOf(build);
    await stage.logged("recorded the build");
    while (!/^200 .*Passed.*<code>SUCCESS<\/code>/s.test(await read(pathname))) await new Promise((resolve) => setImmediate(resolve));
    assert.match(await read("/builds/unit-0123456789abcdef"), /^404 /);
  });

  test("from each of several servers is answered there, and by one that comes later", async () => {
    await using other = await startGeard();
    await using stage = await startStage({
      start,
      startsOperator: false,
      tasks: { unit: {} },
    });
    await stage.startOperator({ gearman: { servers: [stage.link.address, other.address] } });
    const here = await stage.submit("unit");
    await using client = await connectTestClient(other);
    const there = submitBuild(client, "build:unit", "unique-1");
    assert.equal((await answerOf(here)).result, "SUCCESS");
    assert.equal((await answerOf(there)).result, "SUCCESS");
    await client.stop();
    await other.restart();
    await using again = await connectTestClient(other);
    const later = submitBuild(again, "build:unit", "unique-2");
    assert.equal((await answerOf(later)).result, "SUCCESS");
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
    await stage.stopOperator();
  });

  test("is one of forty at once, and each gets its own right answer", async () => {
    await using stage = await startStage({
      start,
      tasks: { good: {}, bad: {} },
      script: (job) => (job.metadata.name.startsWith("bad-") ? { exitCode: 1, message: job.metadata.name } : {}),
    });
    const builds = await Promise.all(Array.from({ length: 40 }, (_, index) => stage.submit(index % 2 === 0 ? "good" : "bad")));
    for (const [index, build] of builds.entries()) {
      assert.equal((await answerOf(build)).result, index % 2 === 0 ? "SUCCESS" : await numberOf(build));
    }
    assert.equal(stage.pods().length, 40);
  });
});
