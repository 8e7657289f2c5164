import { describe } from "node:test";
import { cancelQueuedRequest } from "../../../../src/gearman/client/gearman-admin.ts";
import { GearmanError } from "../../../../src/gearman/wire/gearman-error.ts";
import { PACKET } from "../../../../src/gearman/wire/packet.ts";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import { systemClock } from "../../../../src/runtime/clock.ts";
import { adminStatus } from "../../../support/gearman/gearman-server.ts";
import { startZuulLauncher } from "../../../support/zuul/zuul-launcher.ts";
import { connectTestClient, startTestLink, submitBuild, untilStatus, within } from "../worker/link-harness.ts";
import { protocolArea, SERVERS } from "./protocol-area.ts";
import { connectRaw } from "./raw-peer.ts";

const area = protocolArea("registration");
const lane = (functions: readonly string[], capacity = 1) => ({ name: "x", functions, slots: makeSlotPool({ capacity }) });

for (const { kind, start } of SERVERS) {
  describe(`names in the status of ${kind}`, () => {
    area.row(kind, "a name while its task is suspended, while we are full, and while we drain", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      const workers: string[] = [];
      const look = async () => workers.push((await adminStatus(server.address)).get("build:a") === undefined ? "gone" : "registered");
      harness.link.setRegistrations({ functions: ["build:a"], lanes: [] });
      await harness.until(({ isRegistered }) => isRegistered);
      await look();
      harness.link.setRegistrations({ functions: ["build:a"], lanes: [lane(["build:a"])] });
      submitBuild(client, "build:a", "1");
      const assignment = await harness.assignments.next();
      await look();
      harness.link.stopGrabbing();
      await assignment.complete("{}");
      await look();
      return workers.join(", ");
    });

    area.row(kind, "a name after the last worker has gone", async () => {
      await using server = await start();
      const harness = await startTestLink([server.address]);
      harness.link.setRegistrations({ functions: ["build:a"], lanes: [] });
      await harness.until(({ isRegistered }) => isRegistered);
      await harness[Symbol.asyncDispose]();
      await untilStatus(server, (status) => status.get("build:a")?.workers === 0);
      await server.restart();
      const isGone = !(await adminStatus(server.address)).has("build:a");
      return `stays, with 0 workers; ${isGone ? "gone" : "still there"} when the server restarts`;
    });

    area.row(kind, "CAN_DO twice for one name on one connection", async () => {
      await using server = await start();
      using raw = await connectRaw(server);
      raw.send(PACKET.CAN_DO, "build:a");
      raw.send(PACKET.CAN_DO, "build:a");
      await raw.answers();
      return `counts as ${(await adminStatus(server.address)).get("build:a")?.workers}`;
    });

    area.row(kind, "the server restarts: until every name is registered again", async () => {
      await using server = await start();
      await using harness = await startTestLink([server.address]);
      const functions = Array.from({ length: 50 }, (_, index) => `build:${index}`);
      harness.link.setRegistrations({ functions, lanes: [lane(functions)] });
      await harness.until(({ isRegistered }) => isRegistered);
      await server.kill9();
      await harness.until(({ isConnected }) => !isConnected);
      await server.restart();
      const fromMs = performance.now();
      await untilStatus(server, (status) => functions.every((name) => (status.get(name)?.workers ?? 0) > 0));
      const tookMs = performance.now() - fromMs;
      return tookMs < 2500 ? "within 2.5 s" : `${tookMs} ms`;
    });

    area.row(kind, "Zuul and its server start, empty, while we try to connect: Zuul waits 5 s for the first name", async () => {
      await using server = await start();
      await server.kill9();
      await using harness = await startTestLink([server.address]);
      harness.link.setRegistrations({ functions: [], lanes: [lane(["build:a"])] });
      await harness.until(({ lastError }) => lastError !== undefined);
      await server.restart();
      await using zuul = await startZuulLauncher({ server: server.address, settle: true });
      const build = zuul.launch({ job: "a" });
      const assignment = await within(harness.assignments.next(), () => "no build has come", 20_000);
      const json = JSON.stringify({ name: "a", number: "1", manager: "m", url: "http://x", result: "SUCCESS" });
      assignment.sendData(json);
      await assignment.complete(json);
      return (await build.completed).result;
    });

    area.row(kind, "a name with a blank, which Zuul could not read in status", async () => {
      await using server = await start();
      await using harness = await startTestLink([server.address]);
      try {
        harness.link.setRegistrations({ functions: ["build:with blank"], lanes: [] });
        return "registered";
      } catch (error) {
        return error instanceof GearmanError ? `refused before it is sent: ${error.code}` : `${error}`;
      }
    });

    area.row(kind, "names of 2000 bytes, and in UTF-8", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      const functions = [`build:${"n".repeat(2000)}`, "build:größe-\u{1f600}"];
      harness.link.setRegistrations({ functions, lanes: [lane(functions)] });
      const outcomes: string[] = [];
      for (const name of functions) {
        const build = submitBuild(client, name, name.slice(6, 20));
        const assignment = await harness.assignments.next();
        await assignment.complete("{}");
        assignment.slot.release();
        outcomes.push(`${assignment.functionName === name ? "served" : assignment.functionName} (${(await build.end()).kind})`);
      }
      return outcomes.join(", ");
    });

    area.row(kind, "`cancel job` for a request that waits, and for one that runs", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      harness.link.setRegistrations({ functions: [], lanes: [lane(["build:a"])] });
      const running = submitBuild(client, "build:a", "1");
      const assignment = await harness.assignments.next();
      const waiting = submitBuild(client, "build:a", "2");
      const signal = new AbortController().signal;
      const cancel = async (handle: string) =>
        (await cancelQueuedRequest(handle, { server: server.address, clock: systemClock, signal })) ? "OK" : "ERR";
      const answers = [await cancel(await waiting.handle), await cancel(await running.handle)];
      const delivery = await assignment.complete("{}");
      assignment.slot.release();
      // The one that was cancelled while it waited is given to nobody.
      const later = submitBuild(client, "build:a", "3");
      const next = await harness.assignments.next();
      await next.complete("{}");
      await later.end();
      return `${answers.join(", ")}; given out next: ${next.unique}; the running one is told nothing, its end is "${delivery}"`;
    });
  });
}
