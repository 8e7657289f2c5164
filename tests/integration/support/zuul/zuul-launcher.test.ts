import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { startGeard } from "../../../support/gearman/geard.ts";
import { adminStatus } from "../../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { splitGerritCommand } from "../../../support/zuul/gerrit-command.ts";
import { startZuulLauncher, type ZuulLauncher } from "../../../support/zuul/zuul-launcher.ts";

const CAN_DO = 1;
const PRE_SLEEP = 4;
const NOOP = 6;
const NO_JOB = 10;
const WORK_STATUS = 12;
const WORK_COMPLETE = 13;
const WORK_FAIL = 14;
const WORK_DATA = 28;
const GRAB_JOB_UNIQ = 30;
const JOB_ASSIGN_UNIQ = 31;

interface RawJob {
  name: string;
  unique: string;
  payload: Record<string, unknown>;
  send(type: number, ...args: string[]): void;
  /** WORK_DATA, then WORK_COMPLETE, with the same JSON. */
  finish(data: object): void;
}

/** A worker of the fewest packets; takes as many jobs as there are. Resolves when the server has its functions. */
async function startRawWorker(address: string, functions: string[], onJob: (job: RawJob) => void): Promise<Disposable> {
  const [host, port] = address.split(":");
  const socket = connect({ port: Number(port), host: host ?? "", noDelay: true });
  const ready = Promise.withResolvers<void>();
  const send = (type: number, ...args: string[]) => {
    const body = Buffer.from(args.join("\0"));
    const header = Buffer.from("\0REQ\0\0\0\0\0\0\0\0", "latin1");
    header.writeUInt32BE(type, 4);
    header.writeUInt32BE(body.length, 8);
    socket.write(Buffer.concat([header, body]));
  };
  const handle = (type: number, body: string) => {
    if (type === NOOP) send(GRAB_JOB_UNIQ);
    if (type === NO_JOB) send(PRE_SLEEP);
    if (type !== JOB_ASSIGN_UNIQ) return ready.resolve();
    const [handle = "", name = "", unique = "", payload = ""] = body.split("\0");
    const sendFor = (workType: number, ...args: string[]) => send(workType, handle, ...args);
    const finish = (data: object) => {
      sendFor(WORK_DATA, JSON.stringify(data));
      sendFor(WORK_COMPLETE, JSON.stringify(data));
    };
    send(GRAB_JOB_UNIQ);
    onJob({ name, unique, payload: JSON.parse(payload), send: sendFor, finish });
  };
  let pending = Buffer.alloc(0);
  socket.on("error", ready.reject);
  socket.on("data", (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 12 && pending.length >= 12 + pending.readUInt32BE(8)) {
      const end = 12 + pending.readUInt32BE(8);
      handle(pending.readUInt32BE(4), pending.toString("utf8", 12, end));
      pending = pending.subarray(end);
    }
  });
  for (const name of functions) send(CAN_DO, name);
  send(GRAB_JOB_UNIQ);
  await ready.promise;
  return { [Symbol.dispose]: () => void socket.destroy() };
}

const running = { name: "unit", number: "n-1", manager: "m-1", url: "http://worker.example.org/n-1/" };

for (const start of [startGearmand, startGeard]) {
  /** A server, a raw worker with these functions, and Zuul's launcher. */
  async function bench(functions: string[], onJob: (job: RawJob) => void): Promise<{ zuul: ZuulLauncher } & AsyncDisposable> {
    const stack = new AsyncDisposableStack();
    const server = stack.use(await start());
    stack.use(await startRawWorker(server.address, functions, onJob));
    const zuul = stack.use(await startZuulLauncher({ server: server.address }));
    return { zuul, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  }

  describe(`Zuul's launcher over ${start.name}`, { timeout: 300_000 }, () => {
    it("takes SUCCESS with its url, node and worker, and tells each step", async () => {
      await using both = await bench(["build:unit"], (job) => {
        job.send(WORK_DATA, JSON.stringify({ ...running, worker_name: "w", worker_hostname: "pod-1" }));
        job.send(WORK_STATUS, "0", "100");
        job.finish({ ...running, result: "SUCCESS", url: "http://logs.example.org/1/", node_name: "node-a", node_labels: ["bionic"] });
      });
      const build = both.zuul.launch({ job: "unit" });
      const started = await build.started;
      assert.equal(started.number, "n-1");
      assert.equal(started.manager, "m-1");
      assert.equal(started.url, running.url);
      assert.equal(started.worker.hostname, "pod-1");
      const completed = await build.completed;
      assert.equal(completed.result, "SUCCESS");
      assert.equal(completed.url, "http://logs.example.org/1/");
      assert.equal(completed.attempts, 1);
      assert.equal(completed.nodeName, "node-a");
      assert.deepEqual(completed.nodeLabels, ["bionic"]);
      assert.match(completed.report ?? "", /^- http:\/\/logs.example.org\/1\/ : SUCCESS in \d+s\n$/);
      const names = build.events.map((event) => event.event).filter((name) => name !== "launched");
      assert.deepEqual(names, ["started", "update", "update", "update", "ended", "answered", "completed"]);
      assert.deepEqual(await both.zuul.unfinished(), []);
    });

    it("takes any text as the result", async () => {
      const result = "FAILURE - out of memory (limit 2Gi) é";
      await using both = await bench(["build:unit"], (job) => job.finish({ ...running, result }));
      assert.equal((await both.zuul.launch({ job: "unit" }).completed).result, result);
    });

    it("puts it unescaped on Gerrit's command line, and mails no more than ASCII", async () => {
      const hostile = 'x" --label Verified=2 --submit "';
      await using both = await bench(["build:unit"], (job) => job.finish({ ...running, result: job.payload.RESULT }));
      const { review, mail } = await both.zuul.launch({ job: "unit", params: { RESULT: hostile } }).completed;
      const words = splitGerritCommand(review ?? "");
      assert.deepEqual(words.slice(0, 5), ["gerrit", "review", "--project", "openstack/nova", "--message"]);
      assert.match(words[5] ?? "", /^Build failed\.\n\n- http:\S+ : x$/);
      assert.deepEqual(words.slice(6, 9), ["--label", "Verified=2", "--submit"], "options that a test wrote");
      assert.match(mail ?? "", /^Subject: Report for change .*\n\nBuild failed\.\n\n- http:\S+ : x" --label/ms);
      const foreign = await both.zuul.launch({ job: "unit", params: { RESULT: "2 Prüfungen" } }).completed;
      assert.deepEqual(splitGerritCommand(foreign.review ?? "").slice(6), ["--label", "verified=-1", "1234,1"]);
      assert.equal(foreign.mail, "UnicodeEncodeError");
      const timer = await both.zuul.launch({ job: "unit", item: { kind: "timer" }, params: { RESULT: "SUCCESS" } }).completed;
      assert.equal(timer.review, null);
      assert.match(timer.mail ?? "", /Build succeeded\./);
    });

    it("launches again under a new uuid after WORK_FAIL", async () => {
      const seen: string[] = [];
      await using both = await bench(["build:unit"], (job) => {
        seen.push(job.unique);
        job.send(WORK_DATA, JSON.stringify(running));
        if (seen.length === 1) job.send(WORK_FAIL);
        else job.finish({ ...running, result: "SUCCESS" });
      });
      const build = both.zuul.launch({ job: "unit" });
      const completed = await build.completed;
      assert.equal(completed.result, "SUCCESS");
      assert.equal(completed.attempts, 2);
      assert.deepEqual(completed.uuids, seen);
      assert.notEqual(seen[0], seen[1]);
      assert.equal((await build.waitFor("ended", (event) => event.uuid === seen[0])).retry, true);
    });

    it("gives RETRY_LIMIT after the third launch, or after as many as the job has attempts", async () => {
      const seen: string[] = [];
      await using both = await bench(["build:unit"], (job) => {
        seen.push(job.unique);
        job.send(WORK_FAIL);
      });
      const completed = await both.zuul.launch({ job: "unit" }).completed;
      assert.equal(completed.result, "RETRY_LIMIT");
      assert.equal(completed.attempts, 3);
      assert.equal(new Set(seen).size, 3);
      assert.equal((await both.zuul.launch({ job: "unit", attempts: 1 }).completed).attempts, 1);
      assert.equal(seen.length, 4);
    });

    it("sends stop:<manager> when a started build is cancelled, and ignores its result", async () => {
      const stop = Promise.withResolvers<RawJob>();
      let build: RawJob | undefined;
      await using both = await bench(["build:unit", "stop:m-1"], (job) => {
        if (job.name === "stop:m-1") return stop.resolve(job);
        build = job;
        job.send(WORK_DATA, JSON.stringify(running));
      });
      const canceled = both.zuul.launch({ job: "unit" });
      const { uuid } = await canceled.started;
      assert.deepEqual((await canceled.cancel()).uuids, [uuid]);
      const request = await stop.promise;
      assert.deepEqual(request.payload, { name: "unit", number: "n-1" });
      assert.equal((await canceled.completed).result, "CANCELED");
      assert.deepEqual(await both.zuul.unfinished(), [uuid]);
      request.send(WORK_COMPLETE, "");
      build?.finish({ ...running, result: "ABORTED" });
      await canceled.waitFor("answered");
      assert.deepEqual(await both.zuul.unfinished(), []);
      assert.equal(
        canceled.events.some((event) => event.event === "ended"),
        false,
      );
    });

    it("takes a build that waits in the queue back when it is cancelled", async () => {
      await using server = await start();
      (await startRawWorker(server.address, ["build:unit"], () => {}))[Symbol.dispose]();
      await using zuul = await startZuulLauncher({ server: server.address });
      const build = zuul.launch({ job: "unit" });
      assert.equal((await build.waitFor("launched")).isSubmitted, true);
      assert.equal((await adminStatus(server.address)).get("build:unit")?.total, 1);
      await build.cancel();
      assert.equal((await build.completed).result, "CANCELED");
      assert.deepEqual(await zuul.unfinished(), []);
      const jobs: RawJob[] = [];
      using _worker = await startRawWorker(server.address, ["build:unit"], (job) => jobs.push(job));
      assert.deepEqual(jobs, []);
    });

    it("gives NOT_REGISTERED for a function nobody has registered", async () => {
      await using both = await bench(["build:unit"], () => {});
      const build = both.zuul.launch({ job: "other" });
      await assert.rejects(build.started, /never saw the build start; it ended NOT_REGISTERED/);
      assert.equal((await build.completed).attempts, 0);
    });

    it("sends a change's, a ref's and a timer's parameters, and what a parameter-function makes of them", async () => {
      await using both = await bench(["build:unit", "build:unit:bionic"], (job) => {
        job.send(WORK_DATA, JSON.stringify({ ...running, name: job.name, worker_extra: job.payload }));
        job.finish({ ...running, result: "SUCCESS" });
      });
      const sent = async (spec: Parameters<ZuulLauncher["launch"]>[0]) => {
        const build = both.zuul.launch(spec);
        const { worker, uuid } = await build.started;
        const { ZUUL_UUID, LOG_PATH, ...rest } = worker.extra as Record<string, unknown>;
        assert.equal(ZUUL_UUID, uuid);
        assert.match(String(LOG_PATH), new RegExp(`/?${uuid.slice(0, 7)}$`));
        return rest;
      };
      const ref = `Z${"ab".repeat(16)}`;
      const always = { ZUUL_PROJECT: "p", ZUUL_PIPELINE: "gate", ZUUL_URL: "http://m/p", ZUUL_VOTING: "1" };
      const spec = { job: "unit", project: "p", pipeline: "gate", url: "http://m/p" };
      assert.deepEqual(
        await sent({ ...spec, item: { kind: "change", branch: "stable/x", number: 42, patchset: 3, ref, commit: "c0ffee" } }),
        {
          ...always,
          ZUUL_BRANCH: "stable/x",
          ZUUL_CHANGES: "p:stable/x:refs/changes/42/42/3",
          ZUUL_REF: `refs/zuul/stable/x/${ref}`,
          ZUUL_COMMIT: "c0ffee",
          ZUUL_CHANGE_IDS: "42,3",
          ZUUL_CHANGE: "42",
          ZUUL_PATCHSET: "3",
          BASE_LOG_PATH: "42/42/3",
        },
      );
      assert.deepEqual(await sent({ ...spec, item: { kind: "ref", refname: "refs/tags/1", oldrev: "0".repeat(40), newrev: "f00" } }), {
        ...always,
        ZUUL_REFNAME: "refs/tags/1",
        ZUUL_OLDREV: "0".repeat(40),
        ZUUL_NEWREV: "f00",
        ZUUL_REF: "refs/tags/1",
        ZUUL_COMMIT: "f00",
        BASE_LOG_PATH: "f0/f00",
      });
      const params = { ZUUL_NODE: "bionic", NESTED: { a: [1, null] } };
      assert.deepEqual(await sent({ ...spec, voting: false, item: { kind: "timer" }, params, withoutParams: ["ZUUL_URL"] }), {
        ZUUL_PROJECT: "p",
        ZUUL_PIPELINE: "gate",
        ZUUL_VOTING: "0",
        BASE_LOG_PATH: "",
        ...params,
      });
    });

    it("hangs, as Zuul does, on a final payload that is no JSON, and goes on with other builds", async () => {
      await using both = await bench(["build:unit", "build:bad"], (job) => {
        if (job.name === "build:bad") job.send(WORK_COMPLETE, "no json");
        else job.finish({ ...running, result: "SUCCESS" });
      });
      const bad = both.zuul.launch({ job: "bad" });
      const { uuid } = await bad.waitFor("launched");
      // Not before: what gear has read together with the bad packet it would leave lying until more comes.
      await both.zuul.logged("JSONDecodeError");
      assert.equal((await both.zuul.launch({ job: "unit" }).completed).result, "SUCCESS");
      assert.deepEqual(await both.zuul.unfinished(), [uuid]);
    });

    it("keeps hundreds of builds apart", async () => {
      const jobs: RawJob[] = [];
      const count = 300;
      await using both = await bench(["build:unit"], (job) => {
        job.send(WORK_DATA, JSON.stringify({ ...running, number: job.unique }));
        jobs.push(job);
        if (jobs.length < count) return;
        for (const each of jobs.toReversed()) each.finish({ ...running, number: each.unique, result: `R ${each.unique}` });
      });
      const builds = Array.from({ length: count }, (_, index) =>
        both.zuul.launch({ job: "unit", item: { kind: "change", number: 1000 + index } }),
      );
      for (const build of builds) {
        const completed = await build.completed;
        assert.equal(completed.result, `R ${completed.uuid}`);
        assert.equal(completed.number, completed.uuid);
      }
      assert.deepEqual(await both.zuul.unfinished(), []);
    });

    it("rejects what still waits when the launcher is stopped", async () => {
      await using both = await bench(["build:unit"], (job) => job.send(WORK_DATA, JSON.stringify(running)));
      const build = both.zuul.launch({ job: "unit" });
      await build.started;
      await both.zuul.stop();
      await assert.rejects(build.completed, /launcher has ended/);
      await assert.rejects(both.zuul.unfinished(), /launcher has ended/);
    });
  });
}
