import assert from "node:assert/strict";
import { describe } from "node:test";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { startTcpProxy } from "../../../support/proxies/tcp-proxy.ts";
import { connectTestClient, startTestLink, submitBuild, untilLost, untilStatus, within } from "../worker/link-harness.ts";
import { protocolArea, SERVERS } from "./protocol-area.ts";

const area = protocolArea("lost-links");
const lanes = (capacity = 5) => [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity }) }];

for (const { kind, start } of SERVERS) {
  describe(`links to ${kind}`, () => {
    for (const how of ["ends (FIN)", "is reset"]) {
      area.row(kind, `the connection of two running builds ${how}`, async () => {
        await using server = await start();
        await using proxy = await startTcpProxy(server);
        await using client = await connectTestClient(server);
        await using first = await startTestLink([proxy.address]);
        first.link.setRegistrations({ functions: [], lanes: lanes() });
        const builds = ["1", "2"].map((unique) => submitBuild(client, "build:a", unique, `payload ${unique}`));
        const lost = [await first.assignments.next(), await first.assignments.next()];
        if (how === "is reset") proxy.cut();
        else await first.link.stop();
        for (const assignment of lost) await untilLost(assignment);
        if (kind === "geard") {
          const ends = await Promise.all(builds.map((build) => build.end()));
          return `the server ends them: ${ends.map((end) => `WORK_${end.kind.toUpperCase()}`).join(", ")} to the client`;
        }
        await using second = how === "is reset" ? first : await startTestLink([server.address]);
        if (second !== first) second.link.setRegistrations({ functions: [], lanes: lanes() });
        const again = [await second.assignments.next(), await second.assignments.next()];
        for (const assignment of again) await assignment.complete("{}");
        await Promise.all(builds.map((build) => build.end()));
        const same = again.every(({ unique, payload }) => payload.toString() === `payload ${unique}`);
        assert.ok(same && new Set(again.map(({ unique }) => unique)).size === 2);
        assert.deepEqual(new Set(again.map(({ handle }) => handle)), new Set(lost.map(({ handle }) => handle)));
        return `requeued: the same handle, unique and payload again; the client is told nothing (${builds[0]?.kinds().join(", ")})`;
      });
    }

    area.row(kind, "what is sent for a build after its link was lost", async () => {
      await using server = await start();
      await using proxy = await startTcpProxy(server);
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([proxy.address]);
      harness.link.setRegistrations({ functions: [], lanes: lanes(1) });
      const build = submitBuild(client, "build:a", "1");
      const assignment = await harness.assignments.next();
      proxy.cut();
      await untilLost(assignment);
      await harness.until(({ isRegistered }) => isRegistered);
      assignment.sendData("stale");
      const delivery = await assignment.complete("stale");
      assignment.slot.release();
      if (kind === "gearmand") await (await harness.assignments.next()).complete("fresh");
      const end = await build.end();
      const texts = build.events.items.map((event) => ("payload" in event ? `${event.payload}` : "")).join("");
      assert.equal(texts.includes("stale"), false);
      return `goes nowhere ("${delivery}"), over no connection; the client has ${end.kind} ${texts}`.trim();
    });

    area.row(kind, "the server restarts and gives the old handle to another build, and then the old one ends", async () => {
      await using server = await start();
      await using harness = await startTestLink([server.address]);
      harness.link.setRegistrations({ functions: [], lanes: lanes() });
      await using early = await connectTestClient(server);
      submitBuild(early, "build:a", "1");
      const old = await harness.assignments.next();
      await server.restart();
      await harness.until(({ isRegistered }) => isRegistered);
      await using client = await connectTestClient(server);
      const build = submitBuild(client, "build:a", "2");
      const fresh = await harness.assignments.next();
      const delivery = await old.complete('{"result":"of the old build"}');
      await fresh.complete('{"result":"of its own"}');
      const end = await build.end();
      assert.ok("payload" in end);
      const isReused = fresh.handle === old.handle;
      return `handle ${isReused ? "used again" : "new"}; the old end is "${delivery}", the other build has ${JSON.parse(end.payload.toString()).result}`;
    });

    area.row(kind, "the client goes while its request waits", async () => {
      await using server = await start();
      await using harness = await startTestLink([server.address]);
      const [lane] = lanes(1);
      assert.ok(lane);
      harness.link.setRegistrations({ functions: [], lanes: [lane] });
      await using client = await connectTestClient(server);
      submitBuild(client, "build:a", "1");
      const running = await harness.assignments.next();
      const leaving = await connectTestClient(server);
      await submitBuild(leaving, "build:a", "2").handle;
      await leaving.stop();
      const later = submitBuild(client, "build:a", "3");
      await later.handle;
      const { total } = (await untilStatus(server, (status) => (status.get("build:a")?.total ?? 0) >= 2)).get("build:a") ?? {};
      await running.complete("{}");
      running.slot.release();
      const next = await harness.assignments.next();
      assert.equal(next.unique, "3");
      await next.complete("{}");
      await later.end();
      return `${total === 3 ? "stays in status, and is dropped when a worker asks" : "removed at once"}; the next request is given to us`;
    });

    area.row(kind, "the client goes while its build runs", async () => {
      await using server = await start();
      await using harness = await startTestLink([server.address], { limits: { clientGoneAfterMs: 1000 } });
      harness.link.setRegistrations({ functions: [], lanes: lanes() });
      await harness.until((state) => state.kind !== "unknown");
      const client = await connectTestClient(server);
      const build = submitBuild(client, "build:a", "1");
      const assignment = await harness.assignments.next();
      // The link has asked for the clients' number before: one that is gone by then was never counted, as in a background request.
      assignment.sendStatus(1, 2);
      while ((await build.events.next()).kind !== "status");
      // Before the client goes: it may have been missed by the time that `stop` is over.
      const missed = new Promise((resolve) => assignment.clientGone.addEventListener("abort", resolve));
      await client.stop();
      await within(missed, () => "the client is not missed");
      const { total = 0 } = (await untilStatus(server, () => true)).get("build:a") ?? {};
      await assignment.complete("{}");
      return `noticed, though the server ${total > 0 ? "goes on with it" : "forgets it"} and says nothing`;
    });

    area.row(kind, "the server's process stands still", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address], {
        limits: { times: { heartbeatMs: 50, answerMs: 500, connectMs: 1000 } },
      });
      harness.link.setRegistrations({ functions: [], lanes: lanes(1) });
      const build = submitBuild(client, "build:a", "1");
      const assignment = await harness.assignments.next();
      server.suspend();
      await untilLost(assignment).finally(() => server.resume());
      await harness.until(({ isRegistered }) => isRegistered);
      assignment.slot.release();
      if (kind === "gearmand") await (await harness.assignments.next()).complete("{}");
      return `found by an unanswered GET_STATUS; when it goes on, the build ${(await build.end()).kind === "complete" ? "comes again and is answered" : "fails, for Zuul to launch again"}`;
    });
  });
}

describe("gearmand --job-retries=1", () => {
  area.row("gearmand", "with --job-retries=1 the link of a running build is lost once", async () => {
    await using server = await startGearmand({ extraArgs: ["--job-retries=1"] });
    await using proxy = await startTcpProxy(server);
    await using client = await connectTestClient(server);
    await using harness = await startTestLink([proxy.address]);
    harness.link.setRegistrations({ functions: [], lanes: lanes() });
    const build = submitBuild(client, "build:a", "1");
    await harness.assignments.next();
    proxy.cut();
    return `WORK_${(await build.end()).kind.toUpperCase()} to the client at once, as geard does`;
  });
});
