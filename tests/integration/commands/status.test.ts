import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { performStatus, type StatusFlags } from "../../../src/commands/status.ts";
import { encodePacket } from "../../../src/gearman/wire/codec.ts";
import { PACKET } from "../../../src/gearman/wire/packet.ts";
import { makeSlotPool } from "../../../src/gearman/worker/slot-pool.ts";
import { TEST_TASKS } from "../../../src/kube/client/resource.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { startChild } from "../../support/child-process.ts";
import { startFakeKube } from "../../support/fake-kube/fake-kube.ts";
import { findFreePort } from "../../support/free-port.ts";
import { startGeard } from "../../support/gearman/geard.ts";
import type { GearmanServer } from "../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { startScriptedServer } from "../gearman/hostile/scripted-server.ts";
import { connectTestClient, startTestLink, submitBuild, untilStatus } from "../gearman/worker/link-harness.ts";

const byText = (left: string, right: string) => (left < right ? -1 : 1);
const NO_CLUSTER = "/nowhere/kubeconfig";

async function status(address: string, flags: Partial<StatusFlags> = {}, signal = new AbortController().signal) {
  const out: string[] = [];
  const errors: string[] = [];
  const exitCode = await performStatus(
    { server: address, ...flags },
    { clock: systemClock, signal, print: (line) => out.push(line), printError: (line) => errors.push(line) },
  );
  return { exitCode, text: out.join("\n"), errors: errors.join("\n") };
}

describe("status", () => {
  // Whatever cluster this machine knows is none of these tests'.
  const { KUBECONFIG } = process.env;
  before(() => {
    process.env.KUBECONFIG = NO_CLUSTER;
  });
  after(() => {
    if (KUBECONFIG === undefined) delete process.env.KUBECONFIG;
    else process.env.KUBECONFIG = KUBECONFIG;
  });

  for (const [kind, startServer] of [
    ["gearmand", () => startGearmand()],
    ["geard", () => startGeard()],
  ] as [string, () => Promise<GearmanServer>][]) {
    describe(`of ${kind}`, () => {
      test("tells functions, requests, workers and their TestTasks, and ends with 1 when requests wait for nobody", async () => {
        await using server = await startServer();
        await using kube = await startFakeKube();
        kube.create(TEST_TASKS, "ci", { metadata: { name: "unit" }, spec: { image: "test:1", jobs: ["unit", "elsewhere"] } });
        kube.create(TEST_TASKS, "other", { metadata: { name: "late" }, spec: { image: "test:1" } });
        await using harness = await startTestLink([server.address]);
        harness.link.setRegistrations({
          functions: ["build:unit", "build:paused"],
          lanes: [{ name: "shared", functions: ["build:unit"], slots: makeSlotPool({ capacity: 1 }) }],
        });
        await untilStatus(server, (all) => all.get("build:unit")?.workers === 2);
        // geard throws whoever asks for `workers` out over this one, older ones over every connection without a client id.
        const unreadable = await openRaw(server, [encodePacket(PACKET.SET_CLIENT_ID, [Buffer.of(0xff)])]);
        await using client = await connectTestClient(server);
        for (const unique of ["1", "2"]) submitBuild(client, "build:unit", unique);
        submitBuild(client, "build:nobody", "3");
        const assignment = await harness.assignments.next();
        await untilStatus(server, (all) => all.get("build:unit")?.total === 2 && all.get("build:nobody")?.total === 1);
        const flags = { json: true, kubeconfig: kube.kubeconfig, namespace: ["ci"] };
        const { exitCode, text } = await status(server.address, flags);
        const report = JSON.parse(text);
        assert.equal(exitCode, 1);
        const unit = report.functions.find(({ name }: { name: string }) => name === "build:unit");
        const clients = ["turbo-hipster/test/here/registrar", "turbo-hipster/test/here/lane/shared"];
        assert.deepEqual(
          { ...unit, clients: unit.clients?.toSorted(byText) ?? null },
          {
            ...{ name: "build:unit", waiting: 1, running: 1, workers: 2, testTask: "ci/unit" },
            ...(kind === "gearmand" ? { clients: clients.toSorted(byText), takers: 1 } : { clients: null, takers: null }),
          },
        );
        assert.deepEqual(report.unserved, ["build:nobody"]);
        assert.deepEqual(report.untaken, kind === "gearmand" ? ["build:paused"] : []);
        assert.deepEqual(report.withoutTestTask, ["build:paused"]);
        assert.deepEqual(report.unregistered, [{ function: "build:elsewhere", testTask: "ci/unit" }]);

        const everywhere = JSON.parse((await status(server.address, { json: true, kubeconfig: kube.kubeconfig })).text);
        assert.deepEqual(
          everywhere.unregistered.map((each: { function: string }) => each.function),
          ["build:elsewhere", "build:late"],
        );
        const plain = await status(server.address, flags.kubeconfig ? { kubeconfig: flags.kubeconfig } : {});
        assert.match(plain.text, /^build:unit +1 +1 +2 {2}ci\/unit$/m);
        assert.match(plain.text, /^no worker: build:nobody, and 1 request waits$/m);

        // Without such a connection both servers say who the workers are.
        unreadable.destroy();
        await untilStatus(server, (all) => all.has("build:unit"));
        const named = JSON.parse((await status(server.address, { json: true })).text);
        assert.deepEqual(
          named.functions.find(({ name }: { name: string }) => name === "build:unit").clients.toSorted(byText),
          clients.toSorted(byText),
        );
        assert.deepEqual(named.untaken, ["build:paused"]);
        assert.equal(named.testTasksKnown, false);
        await assignment.complete("{}");
      });
    });
  }

  test("says that the TestTasks are unknown and why when no cluster was asked for, and ends with 2 when one was", async () => {
    await using server = await startGearmand();
    const optional = await status(server.address);
    assert.equal(optional.exitCode, 0);
    assert.match(optional.text, /^TestTasks are unknown: .*\/nowhere\/kubeconfig/m);
    const wanted = await status(server.address, { kubeconfig: "/nowhere/else" });
    assert.equal(wanted.exitCode, 2);
    assert.match(wanted.errors, /cannot read the TestTasks: .*\/nowhere\/else/);
    await using kube = await startFakeKube();
    kube.misbehave({ verb: "list", resource: "testtasks" }, { kind: "status", code: 403, reason: "Forbidden" }, 9);
    const forbidden = await status(server.address, { kubeconfig: kube.kubeconfig });
    assert.equal(forbidden.exitCode, 2);
    assert.match(forbidden.errors, /testtasks/);
  });

  test("says what to do about a server that is not there, is none, is silent, or that nobody wants to wait for", async () => {
    const none = await status(`127.0.0.1:${await findFreePort()}`);
    assert.equal(none.exitCode, 2);
    assert.match(none.errors, /cannot connect to 127\.0\.0\.1:\d+: .*ECONNREFUSED.*--server/);
    assert.match((await status("no such server")).errors, /write it as host:port/);

    await using silent = await startScriptedServer({});
    const late = await status(silent.address, { timeout: 50 });
    assert.equal(late.exitCode, 2);
    assert.match(late.errors, /did not answer within 0\.05 s.*--timeout/);
    const interrupt = new AbortController();
    const waiting = status(silent.address, {}, interrupt.signal);
    interrupt.abort(Object.assign(new Error("x"), { code: "x" }));
    await assert.rejects(waiting);

    await using rude = await startScriptedServer({ onConnect: ({ socket }) => void socket.end() });
    const closed = await status(rude.address);
    assert.equal(closed.exitCode, 2);
    assert.match(closed.errors, /closed the connection instead of answering\. Is this the port of a Gearman server/);
  });

  test("tells of a layout what nobody serves, and which TestTasks it does not use, and ends with 1 for NOT_REGISTERED", async () => {
    await using server = await startGearmand();
    await using kube = await startFakeKube();
    kube.create(TEST_TASKS, "ci", { metadata: { name: "drums" }, spec: { image: "test:1", jobs: ["drum-pep8", "drum-gone"] } });
    kube.create(TEST_TASKS, "ci", { metadata: { name: "left" }, spec: { image: "test:1" } });
    const served = ["build:drum-pep8", "build:drum-py27:small"];
    const socket = await openRaw(
      server,
      served.map((name) => encodePacket(PACKET.CAN_DO, [name])),
    );
    try {
      await untilStatus(server, (all) => served.every((name) => all.has(name)));
      const layout = fileURLToPath(new URL("../../fixtures/layouts/templates.yaml", import.meta.url));
      const flags = { kubeconfig: kube.kubeconfig, layout };
      const { exitCode, text } = await status(server.address, { ...flags, json: true });
      assert.equal(exitCode, 1);
      const told = JSON.parse(text).layout;
      assert.equal(told.notRegistered.length, told.jobs - 1);
      assert.deepEqual(
        told.notRegistered.find(({ job }: { job: string }) => job === "drum-py27"),
        { job: "drum-py27", nodeLabels: ["small"], parameterFunction: "set_node" },
      );
      assert.deepEqual(told.unused, [
        { testTask: "ci/drums", jobs: ["drum-gone"], all: false },
        { testTask: "ci/left", jobs: ["left"], all: true },
      ]);
      assert.match((await status(server.address, flags)).text, /^nobody has registered build:drum-soak: Zuul says NOT_REGISTERED$/m);
      const none = await status(server.address, { layout: "/nowhere/layout.yaml" });
      assert.deepEqual([none.exitCode, none.errors], [2, "turbo-hipster status: /nowhere/layout.yaml: no such file"]);
    } finally {
      socket.destroy();
    }
  });

  test("is a command with help, and exit codes of its own", async () => {
    await using server = await startGearmand();
    const main = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));
    const run = async (...args: string[]) => {
      const lines: string[] = [];
      const child = await startChild({ command: process.execPath, args: [main, "status", ...args], onLine: (line) => lines.push(line) });
      const { code } = await child.exited;
      return { code, out: lines.join("\n"), log: child.log() };
    };
    const help = await run("--help");
    assert.equal(help.code, 0);
    assert.match(help.out, /Exit codes: 0 answered/);
    const answered = await run("--server", server.address, "--json");
    assert.deepEqual([answered.code, JSON.parse(answered.out).functions], [0, []]);
    assert.equal((await run("--timeout", "soon")).code, 2);
  });

  test("is not led astray by names with blanks or by connections without a name", async () => {
    await using server = await startGearmand();
    const socket = await openRaw(server, [encodePacket(PACKET.CAN_DO, ["build:with blank"])]);
    try {
      await untilStatus(server, (all) => all.has("build:with blank"));
      const report = JSON.parse((await status(server.address, { json: true })).text);
      assert.deepEqual(report.functions[0].name, "build:with blank");
      assert.equal(report.functions[0].workers, 1);
    } finally {
      socket.destroy();
    }
  });
});

/** A connection that sends these packets, and has had the answer to one more. */
async function openRaw(server: GearmanServer, packets: readonly Buffer[]): Promise<Socket> {
  const socket = connect(server.port, "127.0.0.1");
  for (const packet of [...packets, encodePacket(PACKET.GET_STATUS, ["H:none"])]) socket.write(packet);
  await once(socket, "data");
  return socket;
}
