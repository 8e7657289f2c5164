import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { parseBuildFile } from "../../../src/core/logs/build-file.ts";
import { JOBS, LEASES, PODS, SECRETS } from "../../../src/kube/client/resource.ts";
import { LogSpool } from "../../../src/logs/follow/log-spool.ts";
import { FilesStore } from "../../../src/logs/stores/files/files-store.ts";
import type { LogStore } from "../../../src/logs/stores/log-store.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { timestamp } from "../../support/fake-kube/fake-store.ts";
import { startGeard } from "../../support/gearman/geard.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { answerOf, dataOf, NAMESPACE, numberOf, type Stage, type StageOptions, startStage } from "./stage.ts";

const SECRET = "correct-horse-battery";
const TOKEN = "glpat-0123456789abcdef";

type Put = LogStore["put"];

/** A store whose `put` is another. */
function withPut(store: LogStore, put: (original: Put, ...args: Parameters<Put>) => ReturnType<Put>): LogStore {
  const own: Put = (...args) => put(store.put.bind(store), ...args);
  return new Proxy(store, {
    get(target, name) {
      const value = name === "put" ? own : Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

describe("a build's log", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "th-recording-"));
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  const filesStore = () => new FilesStore({ directory, publicUrl: "http://logs.example.org/", clock: systemClock, logger: silentLogger });

  function start(options: Partial<StageOptions> = {}): Promise<Stage> {
    return startStage({
      ...{ start: () => startGearmand(), tasks: { unit: {} }, makeStore: filesStore },
      config: { logs: { store: "files", directory } },
      ...options,
    });
  }

  const stored = (stage: Stage, number: string) =>
    stage.until(
      () => stage.jobs().find(({ metadata }) => metadata.name === number)?.metadata.annotations?.["turbo-hipster.io/stored"],
      `the stored log of ${number}`,
    );
  const read = (path: string) => readFile(join(directory, path), "utf8");

  test("is stored where LOG_PATH says, with what is known of the build and a page for people", async () => {
    const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
    const script = () => ({ log: ["one", "two <b>", "three"], exitCode: 1, message: "it is <broken>", finished });
    const { promise: hasPage, resolve: onPage } = Promise.withResolvers<void>();
    const makeStore = () => {
      const store = filesStore();
      const createText = store.createText.bind(store);
      store.createText = async (path, ...args) => {
        const isCreated = await createText(path, ...args);
        // Whoever has written it knows it by then.
        if (path.endsWith("index.html")) setImmediate(onPage);
        return isCreated;
      };
      return store;
    };
    await using stage = await start({ script, makeStore });
    const build = await stage.submit("unit", { parameters: { LOG_PATH: "logs/42/unit", ZUUL_PROJECT: "a/b", API_TOKEN: "hidden-token" } });
    const number = await numberOf(build);
    await hasPage;
    finish();
    assert.equal((await answerOf(build)).result, "it is <broken>");
    assert.equal(await stored(stage, number), JSON.stringify({ directory: "logs/42/unit" }));
    assert.equal(await read("logs/42/unit/console.log"), "one\ntwo <b>\nthree\n");
    const file = parseBuildFile(await read("logs/42/unit/build.json"));
    assert.ok(file);
    assert.deepEqual([file.build.verdict?.class, file.build.verdict?.evidence?.exitCode, file.build.item.project], ["failure", 1, "a/b"]);
    assert.equal(file.attempt, undefined, "what Zuul launches of it is not known without a ref of a build set");
    assert.deepEqual(
      file.details?.parameters.find(({ name }) => name === "API_TOKEN"),
      { name: "API_TOKEN", value: undefined },
    );
    assert.deepEqual(
      file.logs.map(({ container, file: name, bytes }) => [container, name, bytes]),
      [["test", "console.log", 18]],
    );
    const page = await read("logs/42/unit/index.html");
    assert.match(page, /it is &lt;broken&gt;/);
    assert.match(page, /two &lt;b&gt;/);
    assert.doesNotMatch(page, /hidden-token|<script/);
    // What Zuul reports is what is stored.
    assert.equal(dataOf(build).at(-1)?.url, "http://logs.example.org/logs/42/unit/index.html");
  });

  test("has a page where Zuul's report says before it is stored, which names the one that shows it until then", async () => {
    const { promise: open, resolve: release } = Promise.withResolvers<void>();
    const makeStore = () =>
      withPut(filesStore(), async (put, ...args) => {
        await open;
        return put(...args);
      });
    const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
    await using stage = await start({ makeStore, script: () => ({ log: ["one"], finished }) });
    const build = await stage.submit("unit", { parameters: { LOG_PATH: "a" } });
    const number = await numberOf(build);
    const page = () => read("a/index.html").catch(() => "");
    await waitUntil("the page", 60_000, async () => (await page()) !== "");
    finish();
    const { data } = await answerOf(build);
    assert.equal(data.url, "http://logs.example.org/a/index.html");
    assert.match(await page(), /is not stored yet/);
    assert.ok((await page()).includes(`href="${dataOf(build)[0]?.url}"`));
    release();
    await stored(stage, number);
    assert.match(await page(), /<h1 class="success">/);
  });

  test("has its stored page in the answer to a request that comes when all is stored", async () => {
    const parameters = (attempt: number) => ({
      LOG_PATH: `a/${attempt}`,
      ZUUL_UUID: `uuid-${attempt}`,
      ZUUL_REF: `refs/zuul/master/Z${"ab".repeat(16)}`,
    });
    const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
    await using stage = await start({ start: () => startGeard(), script: () => ({ log: ["one"], finished }) });
    const build = await stage.submit("unit", { parameters: parameters(1) });
    const number = await numberOf(build);
    await stage.running(number);
    await stage.logged("registered at the gearman server");
    stage.link.cut();
    assert.equal((await answerOf(build)).result, null);
    finish();
    await stage.logged("judged the build");
    await stage.logged("registered at the gearman server", 1);
    await stage.skip(180_000);
    await stored(stage, number);
    await stage.until(() => stage.kube.logs.count() === 0, "the end of following");
    await stage.skip(60_000);
    const again = await stage.submit("unit", { parameters: parameters(2) });
    assert.equal(await numberOf(again), number);
    const { result, data } = await answerOf(again);
    assert.deepEqual([result, data.url], ["SUCCESS", "http://logs.example.org/a/1/index.html"]);
  });

  test("does not show what a Secret holds that the task names", async () => {
    const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
    await using stage = await start({
      tasks: {
        unit: {
          env: [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } }],
          checkout: { credentials: [{ url: "https://git.example.org", secretName: "git" }] },
        },
      },
      script: () => ({
        log: [`user ${SECRET} logs in`, Buffer.from(`x${SECRET}`).toString("base64"), `with ${TOKEN}`],
        exitCode: 1,
        message: `no login as ${SECRET}`,
        finished,
      }),
      config: { logs: { store: "files", directory }, checkout: { allowedUrls: ["https://git.example.org/"] } },
      startsOperator: false,
    });
    stage.kube.create(SECRETS, NAMESPACE, { metadata: { name: "git" }, data: { token: Buffer.from(TOKEN).toString("base64") } });
    stage.kube.create(SECRETS, NAMESPACE, { metadata: { name: "db" }, data: { password: Buffer.from(SECRET).toString("base64") } });
    await stage.startReplica();
    const build = await stage.submit("unit", { parameters: { LOG_PATH: "a" } });
    const number = await numberOf(build);
    await stage.running(number);
    await stage.until(() => stage.kube.logs.count() > 0, "a follower");
    finish();
    // Zuul shows it to everybody.
    assert.equal((await answerOf(build)).result, "no login as ***");
    await stored(stage, number);
    const log = await read("a/console.log");
    assert.match(log, /^user \*\*\* logs in\n.*\nwith \*\*\*\n$/);
    assert.doesNotMatch(log, new RegExp(Buffer.from(SECRET).toString("base64").slice(4, 20)));
  });

  test("says in build.json which of Zuul's launches it was", async () => {
    await using stage = await start();
    const ref = `refs/zuul/master/Z${"0123456789abcdef".repeat(2)}`;
    const launch = async (change: object) => {
      const build = await stage.submit("unit", { parameters: { ZUUL_REF: ref, ...change } });
      const number = await numberOf(build);
      await answerOf(build);
      await stored(stage, number);
      const { directory: folder } = JSON.parse((await stored(stage, number)) ?? "{}");
      return parseBuildFile(await read(`${folder}/build.json`))?.attempt;
    };
    assert.equal(await launch({ A: "1", LOG_PATH: "a" }), 1);
    await waitUntil("the next second", 5000, async () => !stage.jobs().some(({ metadata }) => metadata.creationTimestamp === timestamp()));
    assert.equal(await launch({ A: "2", LOG_PATH: "b" }), 2);
  });
  for (const [how, hide] of [
    [
      "the operator may not read",
      (kube) =>
        kube.misbehave({ verb: "get", resource: "secrets" }, { kind: "status", code: 403, reason: "Forbidden" }, Number.POSITIVE_INFINITY),
    ],
    ["is there no more", (kube) => kube.delete(SECRETS, NAMESPACE, "db")],
  ] as [string, (kube: Stage["kube"]) => unknown][]) {
    test(`is neither kept nor shown where a Secret that the task names ${how}`, async () => {
      const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
      await using stage = await start({
        tasks: { unit: { env: [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } }] } },
        script: () => ({ log: [`user ${SECRET} logs in`], finished }),
        startsOperator: false,
      });
      stage.kube.create(SECRETS, NAMESPACE, { metadata: { name: "db" }, data: { password: Buffer.from(SECRET).toString("base64") } });
      hide(stage.kube);
      await stage.startReplica();
      const build = await stage.submit("unit", { parameters: { LOG_PATH: "a" } });
      const number = await numberOf(build);
      await stage.running(number);
      await stage.logged("could not read what is masked, tries again");
      const url = `http://127.0.0.1:${stage.operator.ports.public}/builds/${number}/logs/test/raw`;
      assert.equal((await fetch(url, { headers: { connection: "close" } })).status, 404);
      finish();
      assert.equal((await answerOf(build)).result, "SUCCESS");
      await stage.recorded(number);
      await stored(stage, number);
      const file = parseBuildFile(await read("a/build.json"));
      assert.deepEqual([file?.logs, file?.problems.length], [[], 1]);
      assert.match(file?.problems[0] ?? "", /^No more of the logs is kept than is here: .* Secret db/);
      for (const name of await readdir(join(directory, "a"))) assert.doesNotMatch(await read(`a/${name}`), new RegExp(SECRET));
    });
  }

  test("is on its page while it grows, of another replica as well, which reads what the first has read, and no pod", async () => {
    const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
    await using stage = await start({ script: () => ({ log: ["one"], finished }) });
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    const { name } = (await stage.running(number)).metadata;
    const readAt = async ({ ports }: { ports: { public: number } }) => {
      const answer = await fetch(`http://127.0.0.1:${ports.public}/builds/${number}/logs/test/raw`, { headers: { connection: "close" } });
      return answer.text();
    };
    const { operator } = stage;
    await waitUntil("its first line", 20_000, async () => (await readAt(operator)) === "one\n");
    // The pod's own log has it no more.
    stage.kube.logs.rotate(NAMESPACE, name, "test");
    const other = await stage.startReplica();
    await waitUntil("its first line, elsewhere", 20_000, async () => (await readAt(other.operator)) === "one\n");
    stage.kube.logs.append(NAMESPACE, name, "test", ["two"]);
    await waitUntil("its second line, elsewhere", 20_000, async () => (await readAt(other.operator)) === "one\ntwo\n");
    assert.equal(stage.kube.logs.count(), 1, "followers of it");
    finish();
    await stored(stage, number);
    await stage.stopOperator(other.operator);
  });

  test("is followed on by its replica when another one had it for a while, and its readers are told to come again", async () => {
    const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
    await using stage = await start({ script: () => ({ log: ["one"], finished }) });
    const build = await stage.submit("unit", { parameters: { LOG_PATH: "a" } });
    const number = await numberOf(build);
    const { metadata } = await stage.running(number);
    const url = `http://127.0.0.1:${stage.operator.ports.public}/builds/${number}/logs/test`;
    const readLog = async () => (await fetch(`${url}/raw`, { headers: { connection: "close" } })).text();
    await waitUntil("its first line", 20_000, async () => (await readLog()) === "one\n");
    const stream = await fetch(`${url.replace("/builds/", "/api/v1/builds/")}/stream`, { headers: { connection: "close" } });
    assert.equal(stream.status, 200);
    const streamed = stream.text();
    const [uid = ""] = await readdir(join(directory, ".spool", "turbo-hipster"));
    const taken = await LogSpool.open(join(directory, ".spool", "turbo-hipster", uid, "test"), { limitBytes: 2 ** 30 });
    await taken.close();
    stage.kube.logs.append(NAMESPACE, metadata.name, "test", ["two"]);
    assert.deepEqual((await streamed).match(/(?<=^event: )\w+$/gm), ["lines"], "it is over, and the log has not ended");
    await waitUntil("its second line", 30_000, async () => (await readLog()) === "one\ntwo\n");
    finish();
    await stored(stage, number);
    assert.equal(await read("a/console.log"), "one\ntwo\n");
  });

  test("is read from its pod where nothing is kept", async () => {
    await using stage = await startStage({
      ...{ start: () => startGearmand(), tasks: { unit: { artifacts: { paths: ["*.xml"] } } }, script: () => ({ log: ["one"] }) },
    });
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    assert.equal((await answerOf(build)).result, "SUCCESS");
    const url = `http://127.0.0.1:${stage.operator.ports.public}/builds/${number}/logs/test/raw`;
    const readLog = async () => (await fetch(url, { headers: { connection: "close" } })).text();
    await waitUntil("the log", 20_000, async () => (await readLog()) === "one\n");
    // And its artifacts are left where they are.
    const [pod] = stage.pods();
    assert.ok(!pod?.spec.initContainers?.some(({ name }: { name: string }) => name === "collector"));
  });

  test("goes on with the next replica, which takes the spool over, and is whole", async () => {
    const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
    await using stage = await start({ script: () => ({ log: ["before"], finished }) });
    const build = await stage.submit("unit", { parameters: { LOG_PATH: "a" } });
    const number = await numberOf(build);
    const pod = await stage.running(number);
    const spool = join(directory, ".spool", "turbo-hipster");
    await stage.until(() => stage.kube.logs.count() > 0, "a follower");
    await stage.stopOperator();
    assert.equal((await readdir(spool)).length, 1);
    stage.kube.logs.append(NAMESPACE, pod.metadata.name, "test", ["meanwhile"]);
    await stage.startReplica();
    await stage.until(() => stage.kube.logs.count() > 0, "another follower");
    stage.kube.logs.append(NAMESPACE, pod.metadata.name, "test", ["after"]);
    finish();
    await stored(stage, number);
    assert.equal(await read("a/console.log"), "before\nmeanwhile\nafter\n");
    assert.equal((await answerOf(build)).result, "SUCCESS");
  });

  test("is stored by the next replica when the one before ended between the answer and that", async () => {
    let isAway = true;
    const makeStore = () =>
      withPut(filesStore(), (put, path, open, signal) => {
        if (!isAway || !path.endsWith("console.log")) return put(path, open, signal);
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      });
    await using stage = await start({ makeStore, script: () => ({ log: ["one"] }) });
    const build = await stage.submit("unit", { parameters: { LOG_PATH: "a" } });
    const number = await numberOf(build);
    // A store that hangs holds up no answer.
    assert.equal((await answerOf(build)).result, "SUCCESS");
    await stage.recorded(number);
    await stage.stopOperator();
    isAway = false;
    await stage.startReplica();
    await stored(stage, number);
    assert.equal(await read("a/console.log"), "one\n");
  });

  test("is stored though a service takes no notice of its end, and then that pod goes", async () => {
    const services = [{ name: "beside", image: "test:1" }];
    await using stage = await start({ tasks: { unit: { services } }, script: () => ({ log: ["one"], ignoresTerm: "services" }) });
    const build = await stage.submit("unit", { parameters: { LOG_PATH: "a" } });
    const number = await numberOf(build);
    assert.equal((await answerOf(build)).result, "SUCCESS");
    await stage.recorded(number);
    assert.equal(stage.kube.calls.filter(({ verb, resource }) => verb === "delete" && resource === "pods").length, 0);
    await stage.skip(20_000);
    await stored(stage, number);
    assert.equal(await read("a/console.log"), "one\n");
    await stage.until(() => stage.pods().length === 0, "the end of the pod");
    assert.ok(
      stage.jobs().some(({ metadata }) => metadata.name === number),
      "its Job stays",
    );
  });

  test("of a test that takes no notice of Zuul's stop: its pod is ended once the artifacts are stored", async () => {
    await using stage = await start({
      tasks: { unit: { artifacts: { paths: ["*.xml"] } } },
      script: () => ({ log: ["one"], ignoresTerm: "test", finished: new Promise(() => {}) }),
    });
    const build = await stage.submit("unit", { parameters: { LOG_PATH: "a" } });
    const number = await numberOf(build);
    const { name } = (await stage.running(number)).metadata;
    await stage.until(() => stage.kube.logs.count() > 0, "a follower");
    await stage.stop(number);
    await stage.until(() => stage.kube.get(PODS, NAMESPACE, name).spec.activeDeadlineSeconds === 1, "the pod's being told to end");
    const deleted = () => stage.kube.calls.filter(({ verb, resource }) => verb === "delete" && resource === "pods");
    assert.equal(deleted().length, 0);
    // What the operator writes when a collector has brought all.
    const annotations = { "turbo-hipster.io/collected": new Date().toISOString() };
    stage.kube.patch(JOBS, NAMESPACE, number, { metadata: { annotations } });
    assert.equal((await answerOf(build)).result, "ABORTED");
    await stage.until(() => stage.pods().length === 0, "the end of the pod");
    assert.deepEqual(new Set(deleted().map((call) => call.name)), new Set([name]));
    await stored(stage, number);
    // Whether more was printed nobody can tell any more; then that is told.
    assert.match(await read("a/console.log"), /^one\n/);
  });

  test("of a test that ran too long and takes no notice of its end: its pod is left to its grace", async () => {
    await using stage = await start({
      tasks: { unit: { artifacts: { paths: ["*.xml"] }, timeouts: { run: "1m" } } },
      script: () => ({ log: ["one"], ignoresTerm: "test", finished: new Promise(() => {}) }),
    });
    const build = await stage.submit("unit", { parameters: { LOG_PATH: "a" } });
    const number = await numberOf(build);
    const { name } = (await stage.running(number)).metadata;
    await stage.until(() => stage.kube.logs.count() > 0, "a follower");
    await stage.skip(70_000);
    await stage.until(() => stage.kube.get(PODS, NAMESPACE, name).spec.activeDeadlineSeconds === 1, "the pod's being told to end");
    stage.kube.patch(JOBS, NAMESPACE, number, { metadata: { annotations: { "turbo-hipster.io/collected": new Date().toISOString() } } });
    await stage.skip(20_000);
    assert.equal(stage.kube.calls.filter(({ verb, resource }) => verb === "delete" && resource === "pods").length, 0);
    assert.equal(dataOf(build).at(-1)?.result, undefined);
  });

  test("holds up no replica that stops, whatever the store does: the next one has its builds at once", { timeout: 60_000 }, async () => {
    const { promise: hangs, resolve: hang } = Promise.withResolvers<void>();
    let isAway = true;
    // As a disk on the network does, of which no signal gets a call back.
    const makeStore = () =>
      withPut(filesStore(), (put, path, open, signal) => {
        if (!isAway || !path.endsWith("console.log")) return put(path, open, signal);
        hang();
        return new Promise(() => {});
      });
    await using stage = await start({ makeStore, script: () => ({ log: ["one"] }) });
    const build = await stage.submit("unit", { parameters: { LOG_PATH: "a" } });
    const number = await numberOf(build);
    assert.equal((await answerOf(build)).result, "SUCCESS");
    await hangs;
    const [{ name } = { name: "" }] = stage.replicas;
    await stage.stopOperator();
    const leases = stage.kube.list(LEASES, NAMESPACE).map(({ metadata }) => metadata.name);
    assert.ok(!leases.includes(`turbo-hipster-${name}`), `${leases} has none of ${name}`);
    isAway = false;
    await stage.startReplica();
    await stored(stage, number);
    assert.equal(await read("a/console.log"), "one\n");
  });

  test("is stored once, however often the API server refuses to write that down", async () => {
    const { promise: mayStore, resolve: store } = Promise.withResolvers<void>();
    let count = 0;
    const makeStore = () =>
      withPut(filesStore(), async (put, path, open, signal) => {
        if (path.endsWith("console.log")) {
          count += 1;
          await mayStore;
        }
        return put(path, open, signal);
      });
    await using stage = await start({ makeStore, script: () => ({ log: ["one"] }) });
    const build = await stage.submit("unit", { parameters: { LOG_PATH: "a" } });
    const number = await numberOf(build);
    await answerOf(build);
    // It may be stored for a day yet, by an operator that is started again as well: the Job tells it.
    assert.equal((await stage.recorded(number)).spec.ttlSecondsAfterFinished, 48 * 3600);
    const refusal = stage.kube.misbehave({ verb: "patch", resource: "jobs" }, { kind: "status", code: 403, reason: "Forbidden" }, 2);
    const waits = async () => (await stage.scrape()).turbo_hipster_unstored_seconds ?? -1;
    await waitUntil("the metric of a build that waits for the store", 10_000, async () => (await waits()) > 0);
    store();
    await stored(stage, number);
    await waitUntil("the metric to be 0 again", 10_000, async () => (await waits()) === 0);
    assert.deepEqual([refusal.struck, count], [2, 1]);
    assert.equal((await stage.recorded(number)).spec.ttlSecondsAfterFinished, 24 * 3600);
  });

  test("changes nothing of a build when following and storing fail, whatever they throw", async () => {
    const makeStore = () =>
      new Proxy(filesStore(), {
        get(target, name) {
          if (name === "name" || name === "close" || name === "url") return Reflect.get(target, name);
          return () => {
            throw new TypeError("a defect");
          };
        },
      });
    // A file, where there should be a directory.
    const config = { logs: { store: "files", directory: join(directory, "file") } };
    await writeFile(join(directory, "file"), "");
    await using stage = await start({ makeStore, config, script: () => ({ log: ["one"] }) });
    const build = await stage.submit("unit", { parameters: { LOG_PATH: "a" } });
    assert.equal((await answerOf(build)).result, "SUCCESS");
    const number = await numberOf(build);
    await stage.recorded(number);
    const waits = async () => (await stage.scrape()).turbo_hipster_unstored_seconds ?? -1;
    await waitUntil("the metric of a build that waits for the store", 10_000, async () => (await waits()) > 0);
    // Where it is not kept, its page here is what people get.
    assert.match(String(dataOf(build).at(-1)?.url), new RegExp(`/builds/${number}$`));
  });
});
