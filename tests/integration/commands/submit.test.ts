import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { STOP_WAIT_MS } from "../../../src/commands/submit/submit-build.ts";
import type { SubmitFlags } from "../../../src/commands/submit/submit-request.ts";
import { performSubmit } from "../../../src/commands/submit.ts";
import { PacketDecoder, type PacketLimits, splitFields } from "../../../src/gearman/wire/codec.ts";
import { PACKET, type PacketName } from "../../../src/gearman/wire/packet.ts";
import { type Clock, systemClock } from "../../../src/runtime/clock.ts";
import { startChild } from "../../support/child-process.ts";
import { findFreePort } from "../../support/free-port.ts";
import { startGeard } from "../../support/gearman/geard.ts";
import type { GearmanServer } from "../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulItem } from "../../support/zuul/zuul-launcher.ts";
import { type Peer, startScriptedServer } from "../gearman/hostile/scripted-server.ts";
import { countHandles, Inbox, untilStatus, within } from "../gearman/worker/link-harness.ts";
import { startRawWorker } from "./raw-worker.ts";

const STARTED = { name: "unit", number: "unit-0a1b", manager: "turbo-hipster-test", url: "http://ci.example.org/unit-0a1b" };
const TIMEOUT_MS = 4_242;

type Packet = [name: PacketName, ...fields: (string | Uint8Array)[]];

interface Line {
  event: string;
  [field: string]: unknown;
}

interface Submitted {
  readonly lines: Inbox<Line>;
  readonly exited: Promise<number>;
  /** The first line of this event, awaited. */
  line(event: string): Promise<Line>;
  /** Ctrl-C. */
  interrupt(): void;
  /** --timeout passes now. */
  timeOut(): void;
  /** What a build that timed out is given for its end passes now. */
  stopWaiting(): void;
}

/** Leaves what a failed test has left open: gearmand would hand its request to the next test's worker. */
const unfinished = new Set<() => Promise<unknown>>();
afterEach(async () => {
  await Promise.all([...unfinished].map((leave) => leave()));
});

/** The command in this process, with `--json`. */
function submit(address: string, flags: Partial<SubmitFlags & { paramsFile: string }> = {}, jobName = "unit"): Submitted {
  const lines = new Inbox<Line>();
  const [stop, leave] = [new AbortController(), new AbortController()];
  const timers = new Map<number, () => void>();
  const clock: Clock = {
    ...systemClock,
    schedule(delayMs, callback) {
      if (delayMs !== TIMEOUT_MS && delayMs !== STOP_WAIT_MS) return systemClock.schedule(delayMs, callback);
      timers.set(delayMs, callback);
      return () => timers.delete(delayMs);
    },
  };
  const exited = performSubmit(
    jobName,
    { server: address, project: "openstack/nova", pipeline: "check", json: true, ...flags },
    {
      clock,
      stop: stop.signal,
      leave: leave.signal,
      print: (line) => lines.push(JSON.parse(line)),
      printError: (line) => lines.push({ event: "error", line }),
    },
  );
  const leaveIt = () => {
    stop.abort();
    leave.abort();
    return exited;
  };
  const forget = () => unfinished.delete(leaveIt);
  unfinished.add(leaveIt);
  void exited.then(forget, forget);
  return {
    lines,
    exited: within(exited, () => `submit has not ended: ${JSON.stringify(lines.items)}`),
    async line(event) {
      await lines.until((items) => items.some((item) => item.event === event));
      return lines.items.find((item) => item.event === event) as Line;
    },
    interrupt: () => (stop.signal.aborted ? leave : stop).abort(),
    timeOut: () => timers.get(TIMEOUT_MS)?.(),
    stopWaiting: () => timers.get(STOP_WAIT_MS)?.(),
  };
}

for (const [kind, startServer] of [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
] as [string, () => Promise<GearmanServer>][]) {
  describe(`submit over ${kind}`, () => {
    let server: GearmanServer;
    before(async () => {
      server = await startServer();
    });
    after(() => server?.stop());

    test("follows a build from the request to SUCCESS, ends with 0 and leaves nothing open", async () => {
      using worker = await startRawWorker(server.address, ["build:unit"]);
      const handles = await countHandles();
      const submitted = submit(server.address, { unique: "0123456789abcdef0123456789abcdef" });
      const job = await worker.jobs.next();
      assert.equal(job.unique, "0123456789abcdef0123456789abcdef");
      assert.equal(JSON.parse(job.payload).ZUUL_UUID, job.unique);
      job.data({ ...STARTED, worker_name: "here" });
      job.send("WORK_STATUS", "0", "6");
      job.send("WORK_STATUS", "4", "6");
      job.data({ ...STARTED, url: "http://ci.example.org/logs", result: "SUCCESS", node_name: "node-1" });
      job.complete({ ...STARTED, url: "http://ci.example.org/logs", result: "SUCCESS", node_name: "node-1" });
      assert.equal(await submitted.exited, 0);
      const events = submitted.lines.items.map(({ elapsedMs, handle, ...line }) => line);
      assert.deepEqual(events, [
        { event: "submitted", server: server.address, function: "build:unit", unique: job.unique },
        { event: "started", number: "unit-0a1b", manager: "turbo-hipster-test", worker: "here", url: STARTED.url },
        { event: "step", numerator: 0, denominator: 6, name: "accepted" },
        { event: "step", numerator: 4, denominator: 6, name: "running" },
        { event: "url", url: "http://ci.example.org/logs" },
        {
          event: "ended",
          result: "SUCCESS",
          reason: null,
          message: "SUCCESS, http://ci.example.org/logs",
          number: "unit-0a1b",
          url: "http://ci.example.org/logs",
          node: "node-1",
          exitCode: 0,
        },
      ]);
      assert.deepEqual(await countHandles(), handles);
    });

    // [what the worker sends after its first data, how Zuul takes it, exit code]
    const ends: [string, Packet[], string | null, string | null, number][] = [
      [
        "a result in the last data alone",
        [
          ["WORK_DATA", '{"result":"FAILURE"}'],
          ["WORK_COMPLETE", ""],
        ],
        "FAILURE",
        null,
        1,
      ],
      ["a result of its own words", [["WORK_COMPLETE", '{"result":"FAILURE - 3 tests: \\u0000é"}']], "FAILURE - 3 tests: \0é", null, 1],
      [
        "data that takes its result back",
        [
          ["WORK_DATA", '{"result":"SUCCESS"}'],
          ["WORK_COMPLETE", "{}"],
        ],
        null,
        "retry",
        2,
      ],
      ["a result of null", [["WORK_COMPLETE", '{"result":null}']], null, "retry", 2],
      ["WORK_FAIL", [["WORK_FAIL"]], null, "retry", 2],
      ["WORK_FAIL with a payload", [["WORK_FAIL", '{"result":"SUCCESS"}']], null, "retry", 2],
      ["WORK_FAIL after a result", [["WORK_DATA", '{"result":"ABORTED"}'], ["WORK_FAIL"]], "ABORTED", null, 1],
      ["WORK_EXCEPTION", [["WORK_EXCEPTION", "boom"]], null, "retry", 2],
      [
        "a warning as the last data",
        [
          ["WORK_DATA", '{"result":"A"}'],
          ["WORK_WARNING", '{"result":"B"}'],
          ["WORK_COMPLETE", ""],
        ],
        "B",
        null,
        1,
      ],
      ["an empty result", [["WORK_COMPLETE", '{"result":""}']], null, "hang", 2],
      ["data that is no JSON", [["WORK_COMPLETE", "done"]], null, "hang", 2],
      ["data that is not UTF-8", [["WORK_COMPLETE", Buffer.from('{"result":"\xff"}', "latin1")]], null, "hang", 2],
      ["a list", [["WORK_COMPLETE", '["SUCCESS"]']], null, "hang", 2],
    ];
    for (const [what, packets, result, reason, exitCode] of ends) {
      test(`takes ${what} as Zuul does`, async () => {
        using worker = await startRawWorker(server.address, ["build:unit"]);
        const submitted = submit(server.address);
        const job = await worker.jobs.next();
        job.data(STARTED);
        for (const [name, ...fields] of packets) job.send(name, ...fields);
        const ended = await submitted.line("ended");
        assert.deepEqual([ended.result, ended.reason, ended.exitCode], [result, reason, exitCode]);
        assert.equal(await submitted.exited, exitCode);
      });
    }

    test("takes a result of 5 MB", async () => {
      using worker = await startRawWorker(server.address, ["build:unit"]);
      const submitted = submit(server.address);
      const result = "x".repeat(5_000_000);
      (await worker.jobs.next()).complete({ ...STARTED, result });
      assert.equal(await submitted.exited, 1);
      assert.equal((await submitted.line("ended")).result, result);
    });

    test("says what is not served, names what is, and sends nothing", async () => {
      using _worker = await startRawWorker(server.address, ["build:other"]);
      const submitted = submit(server.address, {}, "nobody");
      assert.equal(await submitted.exited, 2);
      const ended = await submitted.line("ended");
      assert.equal(ended.reason, "unregistered");
      assert.match(String(ended.message), /no worker serves build:nobody at .*NOT_REGISTERED.*build:other.*spec\.jobs.*--wait/);
      assert.equal((await untilStatus(server, () => true)).has("build:nobody"), false);
    });

    test("waits for the first worker ever with --wait, and for one that is away without", async () => {
      const first = submit(server.address, { wait: true }, "later");
      assert.equal((await first.line("waiting")).why, "unregistered");
      await first.line("submitted");
      {
        using worker = await startRawWorker(server.address, ["build:later"]);
        (await worker.jobs.next()).complete({ ...STARTED, result: "SUCCESS" });
        assert.equal(await first.exited, 0);
      }
      await untilStatus(server, (status) => status.get("build:later")?.workers === 0);
      const second = submit(server.address, {}, "later");
      assert.equal((await second.line("waiting")).why, "no-worker");
      using worker = await startRawWorker(server.address, ["build:later"]);
      (await worker.jobs.next()).complete({ ...STARTED, result: "SUCCESS" });
      assert.equal(await second.exited, 0);
    });

    test("asks for the node label's function", async () => {
      using worker = await startRawWorker(server.address, ["build:unit:bionic"]);
      const submitted = submit(server.address, { node: "bionic" });
      const job = await worker.jobs.next();
      assert.equal(JSON.parse(job.payload).ZUUL_NODE, "bionic");
      job.complete({ ...STARTED, result: "SUCCESS" });
      assert.equal(await submitted.exited, 0);
    });

    test("asks a function whose name is longer than 64 bytes", async () => {
      const jobName = `gate-${"long-".repeat(20)}name`;
      using worker = await startRawWorker(server.address, [`build:${jobName}`]);
      const submitted = submit(server.address, {}, jobName);
      (await worker.jobs.next()).complete({ ...STARTED, result: "SUCCESS" });
      assert.equal(await submitted.exited, 0);
    });

    test("sends parameters of any JSON kind exactly as they are written", async (t) => {
      const folder = await mkdtemp(join(tmpdir(), "turbo-hipster-submit-"));
      t.after(() => rm(folder, { recursive: true, force: true }));
      const paramsFile = join(folder, "params.json");
      await writeFile(
        paramsFile,
        '{"BIG": 18446744073709551616, "NESTED": {"a": [1.0, null]}, "ZUUL_URL": null, "__proto__": "p", "P": "é😀\\u0000"}',
      );
      using worker = await startRawWorker(server.address, ["build:unit"]);
      const submitted = submit(server.address, { paramsFile, param: ["SECRET=$(SECRET) $$ a=b", "P2="], zuulUrl: "http://z" });
      const job = await worker.jobs.next();
      assert.match(job.payload, /"BIG": 18446744073709551616, "NESTED": \{"a": \[1\.0, null\]\}/);
      assert.match(job.payload, /"ZUUL_URL": null/);
      assert.match(job.payload, /"__proto__": "p", "P": "\\u00e9\\ud83d\\ude00\\u0000", "SECRET": "\$\(SECRET\) \$\$ a=b", "P2": ""/);
      job.complete({ ...STARTED, result: "SUCCESS" });
      assert.equal(await submitted.exited, 0);
    });

    test("stops a running build through its manager and waits for its end", async () => {
      using worker = await startRawWorker(server.address, ["build:unit"]);
      using manager = await startRawWorker(server.address, ["stop:turbo-hipster-test"]);
      const submitted = submit(server.address);
      const job = await worker.jobs.next();
      job.data({ ...STARTED, number: { any: ["json"] } });
      await submitted.line("started");
      submitted.interrupt();
      const stop = await manager.jobs.next();
      assert.equal(stop.functionName, "stop:turbo-hipster-test");
      assert.deepEqual(JSON.parse(stop.payload), { name: "unit", number: { any: ["json"] } });
      assert.match(stop.unique, /^[0-9a-f]{32}$/);
      assert.equal((await submitted.line("stopping")).how, "stop");
      stop.send("WORK_COMPLETE", "");
      job.complete({ ...STARTED, result: "ABORTED" });
      assert.equal(await submitted.exited, 1);
      assert.equal((await submitted.line("ended")).result, "ABORTED");
    });

    test("stops a build that has not told its number as soon as it does", async () => {
      using worker = await startRawWorker(server.address, ["build:unit"]);
      using manager = await startRawWorker(server.address, ["stop:turbo-hipster-test"]);
      const submitted = submit(server.address);
      const job = await worker.jobs.next();
      submitted.interrupt();
      assert.equal((await submitted.line("stopping")).how, "later");
      job.data(STARTED);
      assert.deepEqual(JSON.parse((await manager.jobs.next()).payload), { name: "unit", number: "unit-0a1b" });
      job.complete({ ...STARTED, result: "ABORTED" });
      assert.equal(await submitted.exited, 1);
    });

    test("takes a waiting build out of the queue, so that no worker ever gets it", async () => {
      const first = submit(server.address, { wait: true }, "queued");
      await first.line("submitted");
      first.interrupt();
      assert.equal(await first.exited, 2);
      assert.equal((await first.line("ended")).reason, "withdrawn");
      const second = submit(server.address, { wait: true, unique: "second" }, "queued");
      await second.line("submitted");
      using worker = await startRawWorker(server.address, ["build:queued"]);
      const job = await worker.jobs.next();
      assert.equal(job.unique, "second");
      job.complete({ ...STARTED, result: "SUCCESS" });
      assert.equal(await second.exited, 0);
    });

    test("leaves at once at the second interrupt", async () => {
      using worker = await startRawWorker(server.address, ["build:unit"]);
      const submitted = submit(server.address);
      (await worker.jobs.next()).data(STARTED);
      await submitted.line("started");
      submitted.interrupt();
      await submitted.line("stopping");
      submitted.interrupt();
      assert.equal(await submitted.exited, 2);
      const ended = await submitted.line("ended");
      assert.equal(ended.reason, "left");
      assert.match(String(ended.message), /may still be running; see http:\/\/ci\.example\.org/);
    });

    test("stops a build that takes longer than --timeout, and ends with 2 whatever it answers", async () => {
      using worker = await startRawWorker(server.address, ["build:unit"]);
      using manager = await startRawWorker(server.address, ["stop:turbo-hipster-test"]);
      const submitted = submit(server.address, { timeout: TIMEOUT_MS });
      const job = await worker.jobs.next();
      job.data(STARTED);
      await submitted.line("started");
      submitted.timeOut();
      assert.deepEqual(JSON.parse((await manager.jobs.next()).payload), { name: "unit", number: "unit-0a1b" });
      job.complete({ ...STARTED, result: "ABORTED" });
      assert.equal(await submitted.exited, 2);
      const ended = await submitted.line("ended");
      assert.equal(ended.reason, "timed-out");
      assert.match(String(ended.message), /ABORTED/);
    });

    test("does not wait for ever for a build that timed out and does not end", async () => {
      using worker = await startRawWorker(server.address, ["build:unit"]);
      const submitted = submit(server.address, { timeout: TIMEOUT_MS });
      (await worker.jobs.next()).data(STARTED);
      await submitted.line("started");
      submitted.timeOut();
      assert.equal((await submitted.line("stopping")).cause, "timeout");
      submitted.stopWaiting();
      assert.equal(await submitted.exited, 2);
      const ended = await submitted.line("ended");
      assert.equal(ended.reason, "timed-out");
      assert.match(String(ended.message), /may still be running/);
    });

    test("says that the worker was lost where the server says it, and follows the next one where it does not", async () => {
      const worker = await startRawWorker(server.address, ["build:unit"]);
      const submitted = submit(server.address);
      (await worker.jobs.next()).data(STARTED);
      await submitted.line("started");
      worker.crash();
      if (kind === "geard") {
        assert.equal(await submitted.exited, 2);
        assert.equal((await submitted.line("ended")).reason, "retry");
        return;
      }
      using other = await startRawWorker(server.address, ["build:unit"]);
      const job = await other.jobs.next();
      job.complete({ ...STARTED, result: "SUCCESS" });
      assert.equal(await submitted.exited, 0);
    });

    for (const item of [
      { kind: "change", branch: "stable/x", number: 7, patchset: 12, ref: `Z${"0a".repeat(16)}`, commit: null },
      { kind: "change", branch: "master", number: 12345, patchset: 2, ref: `Z${"0b".repeat(16)}`, commit: "ab".repeat(20) },
      { kind: "ref", refname: "refs/tags/1.0", oldrev: "0".repeat(40), newrev: "cd".repeat(20) },
      { kind: "timer" },
    ] satisfies ZuulItem[]) {
      test(`sends what Zuul's own launcher sends for a ${item.kind}${item.kind === "change" ? ` (${item.number})` : ""}`, async () => {
        using worker = await startRawWorker(server.address, ["build:unit"]);
        await using zuul = await startZuulLauncher({ server: server.address });
        const launched = zuul.launch({ job: "unit", item });
        const fromZuul = await worker.jobs.next();
        fromZuul.complete({ ...STARTED, result: "SUCCESS" });
        await launched.completed;
        const submitted = submit(server.address, { unique: fromZuul.unique, zuulUrl: "http://zuul.example.org/p", ...flagsFor(item) });
        const job = await worker.jobs.next();
        assert.deepEqual(JSON.parse(job.payload), JSON.parse(fromZuul.payload));
        assert.equal(job.functionName, fromZuul.functionName);
        job.complete({ ...STARTED, result: "SUCCESS" });
        assert.equal(await submitted.exited, 0);
      });
    }

    test("ends with a message when the server is killed in the middle", async () => {
      using worker = await startRawWorker(server.address, ["build:unit"]);
      const submitted = submit(server.address);
      (await worker.jobs.next()).data(STARTED);
      await submitted.line("started");
      await server.kill9();
      assert.equal(await submitted.exited, 2);
      const ended = await submitted.line("ended");
      assert.equal(ended.reason, "lost");
      assert.match(String(ended.message), /closed the connection.*may still be running; see http/);
      await server.restart();
    });

    test("ends its process by itself, with a line for each event and the result's exit code", async () => {
      using worker = await startRawWorker(server.address, ["build:unit"]);
      const lines: string[] = [];
      const child = await startProcess(["unit", "--server", server.address, "--change", "7,1"], (line) => lines.push(line));
      const job = await worker.jobs.next();
      job.data({ ...STARTED, worker_name: "evil\u001b[2J\n" });
      job.complete({ ...STARTED, result: "FAILURE" });
      assert.deepEqual(await within(child.exited, () => `submit has not ended: ${child.log()}`), { code: 1, signal: null });
      assert.deepEqual(
        lines.map((line) => line.replace(/^ +\d+\.\d s {2}/, "").replace(/[0-9a-f]{32}/, "UUID")),
        [
          `submitted build:unit to ${server.address}, unique UUID`,
          "accepted by evil?[2J?: number unit-0a1b, http://ci.example.org/unit-0a1b",
          "FAILURE, http://ci.example.org/unit-0a1b",
        ],
      );
    });

    test("stops the build when its process gets SIGINT, and leaves at the second", async () => {
      using worker = await startRawWorker(server.address, ["build:unit"]);
      using manager = await startRawWorker(server.address, ["stop:turbo-hipster-test"]);
      const lines = new Inbox<string>();
      const child = await startProcess(["unit", "--server", server.address], (line) => lines.push(line));
      (await worker.jobs.next()).data(STARTED);
      await lines.until((all) => all.some((line) => line.includes("accepted")));
      child.kill("SIGINT");
      await manager.jobs.next();
      await lines.until((all) => all.some((line) => line.includes("interrupted: asked turbo-hipster-test")));
      child.kill("SIGINT");
      assert.deepEqual(await within(child.exited, () => `submit has not ended: ${child.log()}`), { code: 2, signal: null });
      assert.match(child.log(), /no result: .*may still be running/);
    });
  });
}

describe("submit to a server that is none", () => {
  test("says that nobody listens, and what to do", async () => {
    const port = await findFreePort();
    const submitted = submit(`127.0.0.1:${port}`);
    assert.equal(await submitted.exited, 2);
    assert.match(String((await submitted.line("ended")).message), /cannot connect to 127\.0\.0\.1:\d+: .*ECONNREFUSED.*--server/);
  });

  // After `status` it accepts the request; then comes what the name says.
  const misbehaviours: [string, (peer: Peer) => void, RegExp][] = [
    ["text", (peer) => peer.socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"), /no Gearman magic/],
    ["a length of 4 GB", (peer) => peer.socket.write(Buffer.from("\0RES\0\0\0\x1c\xff\xff\xff\xff", "latin1")), /above the limit/],
    ["an unknown packet", (peer) => peer.socket.write(Buffer.from("\0RES\0\0\x03\xe8\0\0\0\0", "latin1")), /type 1000/],
    ["a reset", (peer) => peer.socket.resetAndDestroy(), /lost the connection/],
    ["an end in the middle of a packet", (peer) => peer.socket.end("\0RES\0\0\0"), /closed the connection/],
  ];
  for (const [what, misbehave, message] of misbehaviours) {
    test(`ends with a message at ${what}`, async () => {
      await using server = await startStatusServer((peer, type) => {
        if (type !== PACKET.SUBMIT_JOB) return;
        peer.send(PACKET.JOB_CREATED, ["H:1"]);
        misbehave(peer);
      });
      const submitted = submit(server.address);
      assert.equal(await submitted.exited, 2);
      const ended = await submitted.line("ended");
      assert.equal(ended.reason, "lost");
      assert.match(String(ended.message), message);
    });
  }

  test("passes on why the server refused the request", async () => {
    await using server = await startStatusServer((peer, type) => {
      if (type === PACKET.SUBMIT_JOB) peer.send(PACKET.ERROR, ["ARGUMENT_TOO_LARGE", "unique value too large"]);
    });
    const submitted = submit(server.address);
    assert.equal(await submitted.exited, 2);
    assert.match(String((await submitted.line("ended")).message), /refused the request: ARGUMENT_TOO_LARGE unique value too large/);
  });

  test("leaves at the first interrupt while the server is silent", async () => {
    const accepted = Promise.withResolvers<void>();
    await using server = await startScriptedServer({ onConnect: () => accepted.resolve() });
    const submitted = submit(server.address);
    await accepted.promise;
    submitted.interrupt();
    assert.equal(await submitted.exited, 2);
    assert.equal((await submitted.line("ended")).reason, "withdrawn");
  });

  test("sends a stop before all others: SUBMIT_JOB_HIGH", async () => {
    const stopped = Promise.withResolvers<string[]>();
    await using server = await startStatusServer((peer, type, fields) => {
      if (type === PACKET.SUBMIT_JOB_HIGH) stopped.resolve(fields);
      if (type === PACKET.SUBMIT_JOB_HIGH) peer.send(PACKET.WORK_COMPLETE, ["H:1", '{"result":"ABORTED"}']);
      if (type !== PACKET.SUBMIT_JOB) return;
      peer.send(PACKET.JOB_CREATED, ["H:1"]);
      peer.send(PACKET.WORK_DATA, ["H:1", JSON.stringify(STARTED)]);
    });
    const submitted = submit(server.address);
    await submitted.line("started");
    submitted.interrupt();
    const [functionName, , payload] = await stopped.promise;
    assert.equal(functionName, "stop:turbo-hipster-test");
    assert.equal(payload, '{"name": "unit", "number": "unit-0a1b"}');
    assert.equal(await submitted.exited, 1);
  });

  test("says that a worker without a manager cannot be stopped", async () => {
    await using server = await startStatusServer((peer, type) => {
      if (type !== PACKET.SUBMIT_JOB) return;
      peer.send(PACKET.JOB_CREATED, ["H:1"]);
      peer.send(PACKET.WORK_DATA, ["H:1", '{"number": 7}']);
    });
    const submitted = submit(server.address);
    await submitted.line("started");
    submitted.interrupt();
    assert.equal((await submitted.line("stopping")).how, "impossible");
    submitted.interrupt();
    assert.equal(await submitted.exited, 2);
  });
});

/** Answers `status` as if build:unit had a worker; everything else is the test's. */
async function startStatusServer(onPacket: NonNullable<Parameters<typeof startScriptedServer>[0]["onPacket"]>) {
  const decoders = new Map<object, PacketDecoder>();
  return startScriptedServer({
    onConnect(peer) {
      peer.socket.on("data", (chunk: Buffer) => {
        if (chunk.toString() === "status\n") {
          peer.socket.write("build:unit\t0\t0\t1\n.\n");
          return;
        }
        let decoder = decoders.get(peer);
        if (decoder === undefined) {
          decoder = new PacketDecoder(ANYTHING, (type, body) => onPacket(peer, type, splitFields(type, body).map(String)));
          decoders.set(peer, decoder);
        }
        decoder.push(chunk);
      });
    },
  });
}

const ANYTHING: PacketLimits = Object.fromEntries(
  Object.values(PACKET).map((type) => [type, { maxBytes: 2 ** 20, onExcess: "violation" as const }]),
);

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));

function startProcess(args: readonly string[], onLine: (line: string) => void) {
  return startChild({ command: process.execPath, args: [MAIN, "submit", ...args], onLine });
}

function flagsFor(item: ZuulItem): Partial<SubmitFlags> {
  switch (item.kind) {
    case "change":
      return {
        change: `${item.number},${item.patchset}`,
        branch: item.branch ?? "",
        ref: `refs/zuul/${item.branch}/${item.ref}`,
        ...(item.commit ? { commit: item.commit } : {}),
      };
    case "ref":
      return { ref: item.refname, commit: item.newrev };
    case "timer":
      return {};
  }
}
