import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Assignment } from "../../../../src/core/zuul/assignment.ts";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import type { GearmanServer } from "../../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { connectTestClient, countHandles, startTestLink, submitBuild, untilAllFree, untilLost, untilStatus } from "./link-harness.ts";

const STOP = "stop:turbo-hipster-test";
const isRegistered = ({ isRegistered }: { isRegistered: boolean }) => isRegistered;

/** What a controller does with a build that passes at once. */
async function finish(assignment: Assignment, result = "SUCCESS"): Promise<string> {
  const json = JSON.stringify({ unique: assignment.unique, result });
  assignment.sendData(json);
  const delivery = await assignment.complete(json);
  assignment.slot.release();
  return delivery;
}

for (const [kind, startServer] of [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
] as [string, () => Promise<GearmanServer>][]) {
  describe(`a Gearman link to ${kind}`, () => {
    test("registers every function, served or not, and knows which server it is", async () => {
      await using server = await startServer();
      await using harness = await startTestLink([server.address]);
      const slots = makeSlotPool({ capacity: 1 });
      harness.link.setRegistrations({
        functions: ["build:a", "build:suspended"],
        lanes: [{ name: "default", functions: ["build:a"], slots }],
      });
      await harness.until((state) => state.isRegistered && state.kind !== "unknown");
      assert.deepEqual(harness.link.servers, [{ server: server.address, isConnected: true, isRegistered: true, kind }]);
      await untilStatus(server, (status) => status.get("build:a")?.workers === 2 && status.get(STOP)?.workers === 1);
      await untilStatus(server, (status) => status.get("build:suspended")?.workers === 1);
    });

    test("hands over a build, and what is sent for it arrives in order; the end is proven to be read", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      harness.link.setRegistrations({
        functions: [],
        lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 1 }) }],
      });
      const payload = Buffer.from('{"a":"\0\xff"}', "latin1");
      const build = submitBuild(client, "build:a", "unique-1", payload);
      const assignment = await harness.assignments.next();
      assert.deepEqual(
        { ...pick(assignment), payload: Buffer.from(assignment.payload).toString("latin1") },
        { server: server.address, functionName: "build:a", unique: "unique-1", payloadBytes: 10, payload: payload.toString("latin1") },
      );
      assert.equal(assignment.handle, await build.handle);
      assignment.sendData('{"number":"1"}');
      assignment.sendStatus(0, 100);
      assignment.sendData("ü");
      assert.equal(await assignment.complete('{"result":"SUCCESS"}'), "delivered");
      await build.end();
      assert.deepEqual(build.events.items.slice(1).map(render), [
        'data {"number":"1"}',
        "status 0/100",
        "data ü",
        'complete {"result":"SUCCESS"}',
      ]);
      assert.equal(assignment.lost.aborted, false);
    });

    test("fails a build without a result, and sends nothing after the end", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      harness.link.setRegistrations({
        functions: [],
        lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 1 }) }],
      });
      const build = submitBuild(client, "build:a", "unique-1");
      const assignment = await harness.assignments.next();
      const end = assignment.fail();
      assignment.sendData("{}");
      assert.equal(assignment.complete("{}"), end);
      assert.equal(await end, "delivered");
      await build.end();
      assert.deepEqual(build.kinds(), ["created", "fail"]);
    });

    test("takes no more builds than there are slots and stays registered while it is full", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      const slots = makeSlotPool({ capacity: 2 });
      harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots }] });
      const builds = ["1", "2", "3"].map((unique) => submitBuild(client, "build:a", unique));
      const running = [await harness.assignments.next(), await harness.assignments.next()];
      await submitBuild(client, STOP, "s").end(); // by now a third GRAB would have been answered
      assert.equal(harness.assignments.items.length, 2);
      await untilStatus(server, (status) => JSON.stringify(status.get("build:a")) === JSON.stringify({ total: 3, running: 2, workers: 2 }));
      await finish(running[0] as Assignment);
      const third = await harness.assignments.next();
      assert.equal(slots.used, 2);
      await Promise.all([finish(running[1] as Assignment), finish(third)]);
      for (const build of builds) assert.equal((await build.end()).kind, "complete");
      await untilAllFree(slots);
    });

    test("never exceeds a pool that lanes share, nor the pool of a lane, and serves every lane", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      const all = makeSlotPool({ capacity: 3 });
      const own = makeSlotPool({ capacity: 1, parent: all });
      let running = 0;
      let runningOfC = 0;
      const most = { all: 0, c: 0 };
      const count = (assignment: Assignment, step: 1 | -1) => {
        running += step;
        if (assignment.functionName === "build:c") runningOfC += step;
        most.all = Math.max(most.all, running);
        most.c = Math.max(most.c, runningOfC);
      };
      await using harness = await startTestLink([server.address], {
        onAssignment: (assignment) => {
          count(assignment, 1);
          void assignment.complete("{}").then(() => {
            count(assignment, -1);
            assignment.slot.release();
          });
        },
      });
      harness.link.setRegistrations({
        functions: [],
        lanes: [
          { name: "a", functions: ["build:a"], slots: all },
          { name: "b", functions: ["build:b"], slots: all },
          { name: "c", functions: ["build:c"], slots: own },
        ],
      });
      const builds = Array.from({ length: 90 }, (_, index) => submitBuild(client, `build:${"abc"[index % 3]}`, `${index}`));
      for (const build of builds) assert.equal((await build.end()).kind, "complete");
      assert.equal(most.c, 1);
      assert.ok(most.all <= 3, `${most.all} at once`);
      await untilStatus(server, (status) => [...status.values()].every(({ total }) => total === 0));
    });

    test("takes a waiting build when the pool is resumed, and when it is raised", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      const slots = makeSlotPool({ capacity: 1 });
      slots.setPaused(true);
      harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots }] });
      const first = submitBuild(client, "build:a", "1");
      const second = submitBuild(client, "build:a", "2");
      await second.handle;
      await submitBuild(client, STOP, "s").end();
      await untilStatus(server, (status) => status.get("build:a")?.running === 0 && (status.get("build:a")?.workers ?? 0) > 0);
      slots.setPaused(false);
      const one = await harness.assignments.next();
      slots.setCapacity(2);
      await finish(await harness.assignments.next());
      await finish(one);
      assert.deepEqual([(await first.end()).kind, (await second.end()).kind], ["complete", "complete"]);
    });

    test("is registered again within 3 s when the server was killed and came back, and its builds are lost", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      const slots = makeSlotPool({ capacity: 2 });
      harness.link.setRegistrations({ functions: ["build:b"], lanes: [{ name: "x", functions: ["build:a"], slots }] });
      const build = submitBuild(client, "build:a", "1");
      const assignment = await harness.assignments.next();
      await server.kill9();
      await untilLost(assignment);
      assert.equal((await build.end()).kind, "lost");
      await harness.until((state) => !state.isConnected && !state.isRegistered && state.lastError !== undefined);
      assignment.sendData("{}");
      assert.equal(await assignment.fail(), "lost");
      assert.equal(slots.used, 1, "the build still runs, so its slot is still taken");
      await server.restart();
      const from = performance.now();
      await harness.until(isRegistered);
      assert.ok(performance.now() - from < 3000, `took ${performance.now() - from} ms`);
      await untilStatus(server, (status) => status.has("build:a") && status.has("build:b") && status.has(STOP));
      await using again = await connectTestClient(server);
      const next = submitBuild(again, "build:a", "1");
      assert.equal(await finish(await harness.assignments.next()), "delivered");
      assert.equal((await next.end()).kind, "complete");
    });

    test("finds a server that has stopped answering, and takes builds again when it answers", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address], {
        limits: { times: { heartbeatMs: 50, answerMs: 1000, connectMs: 2000 } },
      });
      harness.link.setRegistrations({
        functions: [],
        lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 1 }) }],
      });
      const build = submitBuild(client, "build:a", "1");
      const assignment = await harness.assignments.next();
      server.suspend();
      try {
        await harness.until((state) => !state.isConnected && /has not answered/.test(state.lastError ?? ""));
        await untilLost(assignment);
        assert.equal(await assignment.complete("{}"), "lost");
      } finally {
        server.resume();
      }
      assignment.slot.release();
      if (kind === "gearmand") {
        const again = await harness.assignments.next();
        assert.equal(again.unique, "1", "gearmand hands out a lost build again");
        assert.equal(await finish(again), "delivered");
      }
      assert.equal((await build.end()).kind, kind === "gearmand" ? "complete" : "fail");
      const next = submitBuild(client, "build:a", "2");
      const [delivery] = await Promise.all([harness.assignments.next().then((assignment) => finish(assignment)), next.end()]);
      assert.equal(delivery, "delivered");
    });

    test("answers stop: with {} while it is full, draining, and when the request cannot be handled", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      const received: string[] = [];
      await using harness = await startTestLink([server.address], {
        onStop: (payload) => {
          received.push(payload.toString());
          throw new Error("no such build");
        },
      });
      harness.link.setRegistrations({
        functions: [],
        lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 1 }) }],
      });
      submitBuild(client, "build:a", "1");
      await harness.assignments.next();
      harness.link.stopGrabbing();
      const payloads = ['{"name":"a","number":"1"}', "not JSON", ""];
      for (const [index, payload] of payloads.entries()) {
        const end = await submitBuild(client, STOP, `s${index}`, payload).end();
        assert.equal(render(end), "complete {}");
      }
      const tooLarge = await submitBuild(client, STOP, "s-large", Buffer.alloc(2 ** 20, 120)).end();
      assert.equal(render(tooLarge), "complete {}");
      assert.deepEqual(received.slice(0, 3), payloads);
      assert.ok((received[3]?.length ?? 0) <= 65_536);
    });

    test("takes a lane's function away without touching its running builds, and closes the old connection after the last", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      const slots = makeSlotPool({ capacity: 2 });
      const functions = ["build:a", "build:b", "build:c"];
      harness.link.setRegistrations({ functions, lanes: [{ name: "x", functions: ["build:a", "build:b"], slots }] });
      const build = submitBuild(client, "build:a", "1");
      const assignment = await harness.assignments.next();
      harness.link.setRegistrations({ functions, lanes: [{ name: "x", functions: ["build:b", "build:c"], slots }] });
      const other = submitBuild(client, "build:c", "2");
      assert.equal(await finish(await harness.assignments.next()), "delivered");
      assert.equal((await other.end()).kind, "complete");
      await untilStatus(server, (status) => status.get("build:a")?.running === 1 && status.get("build:a")?.workers === 2);
      assignment.sendData("{}");
      assert.equal(await finish(assignment), "delivered");
      await build.end();
      assert.deepEqual(build.kinds(), ["created", "data", "data", "complete"]);
      await untilStatus(server, (status) => status.get("build:a")?.workers === 1 && status.get("build:b")?.workers === 2);
      const unserved = submitBuild(client, "build:a", "3");
      await unserved.handle;
      await submitBuild(client, STOP, "s").end();
      assert.equal(harness.assignments.items.length, 2);
    });

    test("adds a function to a lane on the connection that is there", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      const slots = makeSlotPool({ capacity: 2 });
      harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots }] });
      const build = submitBuild(client, "build:a", "1");
      const assignment = await harness.assignments.next();
      harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a", "build:b"], slots }] });
      await harness.until(isRegistered);
      const other = submitBuild(client, "build:b", "2");
      await finish(await harness.assignments.next());
      await other.end();
      assert.equal(await finish(assignment), "delivered");
      assert.equal((await build.end()).kind, "complete");
      await untilStatus(server, (status) => status.get("build:a")?.workers === 2 && status.get("build:b")?.workers === 2);
    });

    test("asks for no more builds after stopGrabbing, finishes those it has and stays registered", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      const lanes = [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 1 }) }];
      harness.link.setRegistrations({ functions: [], lanes });
      const build = submitBuild(client, "build:a", "1");
      const assignment = await harness.assignments.next();
      const waiting = submitBuild(client, "build:a", "2");
      await waiting.handle;
      harness.link.stopGrabbing();
      harness.link.setRegistrations({
        functions: [],
        lanes: [...lanes, { name: "y", functions: ["build:b"], slots: makeSlotPool({ capacity: 1 }) }],
      });
      const late = submitBuild(client, "build:b", "3");
      await late.handle;
      assert.equal(await finish(assignment), "delivered");
      assert.equal((await build.end()).kind, "complete");
      await harness.until(isRegistered);
      await submitBuild(client, STOP, "s").end();
      await untilStatus(server, (status) => status.get("build:a")?.workers === 2 && status.get("build:b")?.workers === 2);
      assert.equal(harness.assignments.items.length, 1);
      assert.deepEqual([waiting.kinds(), late.kinds()], [["created"], ["created"]]);
    });

    test("gives WORK_FAIL for a build whose receiver throws, and goes on", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      const slots = makeSlotPool({ capacity: 1 });
      await using harness = await startTestLink([server.address], {
        onAssignment: () => {
          throw new Error("a bug");
        },
      });
      harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots }] });
      for (const unique of ["1", "2"]) {
        const build = submitBuild(client, "build:a", unique);
        assert.equal((await build.end()).kind, "fail");
      }
    });

    test("cuts a payload above its limit and lets the receiver answer", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address], { limits: { payloadBytes: 1000 } });
      harness.link.setRegistrations({
        functions: [],
        lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 1 }) }],
      });
      const build = submitBuild(client, "build:a", "1", Buffer.alloc(100_000, 120));
      const assignment = await harness.assignments.next();
      assert.equal(assignment.payloadBytes, 100_000);
      assert.ok(assignment.payload.length < 1000 && assignment.payload.length > 900);
      await finish(assignment, "CONFIG_ERROR");
      assert.equal((await build.end()).kind, "complete");
    });

    test("carries 300 builds at once on one connection, ended in any order", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      const slots = makeSlotPool({ capacity: 300 });
      harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots }] });
      const builds = Array.from({ length: 300 }, (_, index) => submitBuild(client, "build:a", `unique-${index}`));
      await harness.assignments.until((items) => items.length === 300);
      const order = harness.assignments.items.map((assignment, index) => ({ assignment, key: (index * 7919) % 300 }));
      order.sort((a, b) => a.key - b.key);
      const deliveries = await Promise.all(order.map(({ assignment }) => finish(assignment)));
      assert.ok(deliveries.every((delivery) => delivery === "delivered"));
      for (const [index, build] of builds.entries()) {
        assert.equal(render(await build.end()), `complete {"unique":"unique-${index}","result":"SUCCESS"}`);
      }
      await untilAllFree(slots);
    });

    test("leaves no socket and no timer after stop, whenever it comes", async () => {
      await using server = await startServer();
      for (const when of ["at once", "while connecting", "registered", "with a build", "twice"]) {
        const harness = await startTestLink([server.address]);
        harness.link.setRegistrations({
          functions: ["b"],
          lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 1 }) }],
        });
        if (when === "while connecting") await new Promise((resolve) => setImmediate(resolve));
        if (when === "registered") await harness.until(isRegistered);
        if (when === "with a build") {
          const client = await connectTestClient(server);
          submitBuild(client, "build:a", "1");
          const assignment = await harness.assignments.next();
          await Promise.all([harness.link.stop(), client.stop()]);
          assert.equal(assignment.lost.aborted, true);
          assert.equal(await assignment.complete("{}"), "lost");
        }
        await Promise.all(when === "twice" ? [harness.link.stop(), harness.link.stop()] : [harness.link.stop()]);
        await harness.link.start();
        assert.deepEqual(await countHandles(), {}, when);
      }
      await untilStatus(server, (status) => [...status.values()].every(({ workers }) => workers === 0));
    });
  });
}

describe("a Gearman link to two servers", () => {
  test("serves the one that is up while the other is down, and the other when it comes", async () => {
    await using up = await startGearmand();
    await using down = await startGeard();
    await down.kill9();
    await using harness = await startTestLink([up.address, down.address]);
    const slots = makeSlotPool({ capacity: 1 });
    harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots }] });
    await using client = await connectTestClient(up);
    const build = submitBuild(client, "build:a", "1");
    const assignment = await harness.assignments.next();
    assert.equal(assignment.server, up.address);
    await down.restart();
    await harness.until(isRegistered);
    await using other = await connectTestClient(down);
    const second = submitBuild(other, "build:a", "1");
    await second.handle;
    await submitBuild(other, STOP, "s").end();
    assert.equal(harness.assignments.items.length, 1, "the pool is shared by both servers");
    await finish(assignment);
    const next = await harness.assignments.next();
    assert.equal(next.server, down.address);
    await finish(next);
    assert.deepEqual([(await build.end()).kind, (await second.end()).kind], ["complete", "complete"]);
    assert.equal((await harness.stops.next()).server, down.address);
  });

  test("gives each server its turn when both have builds waiting for one slot", async () => {
    await using one = await startGearmand();
    await using two = await startGeard();
    await using harness = await startTestLink([one.address, two.address]);
    const slots = makeSlotPool({ capacity: 1 });
    slots.setPaused(true);
    harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots }] });
    await harness.until(isRegistered);
    await using clientOne = await connectTestClient(one);
    await using clientTwo = await connectTestClient(two);
    for (const client of [clientOne, clientTwo]) {
      await Promise.all(["1", "2", "3"].map((unique) => submitBuild(client, "build:a", unique).handle));
      await submitBuild(client, STOP, "s").end();
    }
    for (const server of [one, two]) await untilStatus(server, (status) => status.get("build:a")?.workers === 2);
    slots.setPaused(false);
    for (let build = 0; build < 6; build += 1) await finish(await harness.assignments.next());
    const turns = harness.assignments.items.map(({ server }) => server);
    assert.deepEqual(new Set(turns.slice(0, 2)), new Set([one.address, two.address]));
    assert.deepEqual(new Set(turns.slice(2, 4)), new Set([one.address, two.address]));
  });
});

function pick({ server, functionName, unique, payloadBytes }: Assignment) {
  return { server, functionName, unique, payloadBytes };
}

function render(event: Awaited<ReturnType<ReturnType<typeof submitBuild>["end"]>>): string {
  if (event.kind === "status") return `status ${event.numerator}/${event.denominator}`;
  return "payload" in event ? `${event.kind} ${event.payload}` : event.kind;
}
