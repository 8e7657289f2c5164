import { randomBytes } from "node:crypto";
import { describe } from "node:test";
import type { Assignment } from "../../../../src/core/zuul/assignment.ts";
import { PACKET } from "../../../../src/gearman/wire/packet.ts";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import { connectTestClient, Inbox, startTestLink, submitBuild, untilStatus } from "../worker/link-harness.ts";
import { protocolArea, SERVERS } from "./protocol-area.ts";
import { connectRaw } from "./raw-peer.ts";

const area = protocolArea("limits");
const lane = (functions: readonly string[], capacity = 4) => ({ name: "x", functions, slots: makeSlotPool({ capacity }) });
const MB = 2 ** 20;

for (const { kind, start } of SERVERS) {
  describe(`limits of ${kind}`, () => {
    area.row(kind, "uniques of 0, 1 (-), 63, 64, 65 and 3000 bytes", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      harness.link.setRegistrations({ functions: [], lanes: [lane(["build:a"])] });
      const outcomes: string[] = [];
      for (const unique of ["", "-", ...[63, 64, 65, 3000].map((length) => "u".repeat(length))]) {
        const build = submitBuild(client, "build:a", unique);
        const handle = await build.handle.catch(() => undefined);
        if (handle === undefined) {
          outcomes.push(`${unique.length} refused`);
          continue;
        }
        const assignment = await harness.assignments.next();
        await assignment.complete("{}");
        assignment.slot.release();
        await build.end();
        const arrived = assignment.unique === unique ? "as sent" : `cut to ${assignment.unique.length}`;
        outcomes.push(`${unique.length} ${arrived}`);
      }
      return outcomes.join(", ");
    });

    area.row(kind, "two requests of one function with the same unique, at the same time", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      await using other = await connectTestClient(server);
      let count = 0;
      await using harness = await startTestLink([server.address], {
        onAssignment: (assignment) => {
          count += 1;
          void assignment.complete("{}").then(() => assignment.slot.release());
        },
      });
      const builds = [submitBuild(client, "build:a", "same", "1"), submitBuild(other, "build:a", "same", "2")];
      await Promise.all(builds.map(({ handle }) => handle));
      harness.link.setRegistrations({ functions: [], lanes: [lane(["build:a"])] });
      const ends = await Promise.all(builds.map((build) => build.end()));
      return `${count === 1 ? "one build answers both" : `${count} builds`}: ${ends.map(({ kind }) => kind).join(", ")}`;
    });

    area.row(kind, "the same unique for two functions", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      harness.link.setRegistrations({ functions: [], lanes: [lane(["build:a", "build:b"])] });
      const builds = [submitBuild(client, "build:a", "same"), submitBuild(client, "build:b", "same")];
      const assignments = [await harness.assignments.next(), await harness.assignments.next()];
      for (const assignment of assignments) await assignment.complete(assignment.functionName);
      const ends = await Promise.all(builds.map((build) => build.end()));
      return `two builds, each with its own answer: ${ends.map((end) => ("payload" in end ? end.payload : "")).join(", ")}`;
    });

    area.row(kind, "a payload with NULs, invalid UTF-8 and emoji, and an answer with emoji", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      harness.link.setRegistrations({ functions: [], lanes: [lane(["build:a"])] });
      const payload = Buffer.concat([Buffer.of(0, 0xff, 0xfe, 0, 0xc3), Buffer.from("\u{1f600}\0")]);
      const build = submitBuild(client, "build:a", "1", payload);
      const assignment = await harness.assignments.next();
      await assignment.complete('{"a":"\u{1f600}"}');
      const end = await build.end();
      return `${Buffer.from(assignment.payload).equals(payload) ? "byte for byte" : "changed"}; ${"payload" in end ? end.payload : end.kind}`;
    });

    const largeMb = kind === "gearmand" ? 16 : 4;
    area.row(kind, `large payloads: 16 MB on gearmand, 4 MB on geard (which takes time in proportion to the square)`, async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      await using other = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      harness.link.setRegistrations({ functions: [], lanes: [lane(["build:a"])] });
      const payload = randomBytes(largeMb * MB);
      const large = submitBuild(client, "build:a", "large", payload);
      const small = Array.from({ length: 20 }, (_, index) => submitBuild(other, "build:a", `small-${index}`));
      let whole = false;
      for (let count = 0; count < 21; count += 1) {
        const assignment = await harness.assignments.next();
        if (assignment.unique === "large") whole = Buffer.from(assignment.payload).equals(payload);
        await assignment.complete("{}");
        assignment.slot.release();
      }
      await Promise.all([large.end(), ...small.map((build) => build.end())]);
      return `${largeMb} MB ${whole ? "arrive whole" : "arrive damaged"}, and so do 20 other builds meanwhile`;
    });

    area.row(kind, "a length of 4 GB that is only announced, from a client", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      using raw = await connectRaw(server);
      await using harness = await startTestLink([server.address]);
      harness.link.setRegistrations({ functions: [], lanes: [lane(["build:a"])] });
      raw.bytes(Buffer.concat([Buffer.from("\0REQ\0\0\0", "latin1"), Buffer.of(PACKET.SUBMIT_JOB, 0xff, 0xff, 0xff, 0xff)]));
      const build = submitBuild(client, "build:a", "1");
      await (await harness.assignments.next()).complete("{}");
      return `waits for ever on that connection; others: ${(await build.end()).kind}`;
    });

    area.row(kind, "300 builds at once on one connection, ended in another order", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      harness.link.setRegistrations({ functions: [], lanes: [lane(["build:a"], 300)] });
      const builds = Array.from({ length: 300 }, (_, index) => submitBuild(client, "build:a", `${index}`));
      await harness.assignments.until(({ length }) => length === 300);
      const order = harness.assignments.items.toSorted(
        (left, right) => ((Number(left.unique) * 7919) % 300) - ((Number(right.unique) * 7919) % 300),
      );
      const deliveries = await Promise.all(order.map((assignment) => assignment.complete(assignment.unique)));
      const ends = await Promise.all(builds.map((build) => build.end()));
      const right = ends.filter((end, index) => "payload" in end && end.payload.toString() === `${index}`).length;
      return `${right} have their own answer, ${deliveries.filter((delivery) => delivery === "delivered").length} proven to be read`;
    });

    area.row(kind, "1000 functions on one lane, a build of each", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      const assignments = new Inbox<Assignment>();
      await using harness = await startTestLink([server.address], {
        onAssignment: (assignment) => {
          assignments.push(assignment);
          void assignment.complete(assignment.functionName).then(() => assignment.slot.release());
        },
      });
      const functions = Array.from({ length: 1000 }, (_, index) => `build:job-${index}`);
      harness.link.setRegistrations({ functions: [], lanes: [lane(functions, 50)] });
      await harness.until(({ isRegistered }) => isRegistered);
      await untilStatus(server, (status) => functions.every((name) => status.get(name)?.workers === 2));
      const builds = functions.map((name) => submitBuild(client, name, name));
      const ends = await Promise.all(builds.map((build) => build.end()));
      const right = ends.filter((end, index) => "payload" in end && end.payload.toString() === functions[index]).length;
      return `${right} have their own answer`;
    });
  });
}
