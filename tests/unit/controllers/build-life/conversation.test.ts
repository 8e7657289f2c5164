import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Conversation } from "../../../../src/controllers/build-life/conversation.ts";
import type { Chance } from "../../../../src/core/job/claim-clock.ts";
import { infrastructure, type Verdict } from "../../../../src/core/verdict/verdict.ts";
import type { Assignment, Delivery } from "../../../../src/core/zuul/assignment.ts";
import { renderWorkData } from "../../../../src/core/zuul/work-data.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

const WORKER = { manager: "m", name: "w", hostname: "h", fqdn: "h", program: "p", version: "1", ips: [] };
const WORK_DATA = renderWorkData({ jobName: "unit", number: "unit-1", url: "http://b/1" }, WORKER);
const PASSED: Verdict = { result: "SUCCESS", class: "success", rule: "exit-0", message: "ok" };
const MINUTE = 60_000;

function makeStage() {
  const clock = makeManualClock();
  const world = { chance: "open" as Chance, changes: 0, isQueuedAgain: false };
  const conversation = new Conversation({
    ...{ server: "a:1", workData: WORK_DATA, nodeLabels: ["bionic"], resultStyle: "text", clock, logger: () => silentLogger },
    chance: () => world.chance,
    onChange: () => (world.changes += 1),
  });
  /** A request whose link and client a test can take away, and what was sent for it. */
  function makeRequest(outcome: Delivery = "delivered") {
    const [lost, clientGone] = [new AbortController(), new AbortController()];
    const sent: string[] = [];
    const assignment: Assignment = {
      ...{ server: "a:1", handle: "H:1", functionName: "build:unit", unique: "u", payload: new Uint8Array(), payloadBytes: 0 },
      ...{ slot: { release() {} }, lost: lost.signal, clientGone: clientGone.signal },
      sendData: (json) => void sent.push(`data ${JSON.parse(json).result ?? "-"}`),
      sendStatus: (numerator, denominator) => void sent.push(`status ${numerator}/${denominator}`),
      async complete(json) {
        sent.push(`complete ${JSON.parse(json).result}`);
        return outcome;
      },
      async fail() {
        sent.push("fail");
        return outcome;
      },
      handBack: () => world.isQueuedAgain,
    };
    return { assignment, sent, lose: () => lost.abort(), leave: () => clientGone.abort() };
  }
  return { clock, world, conversation, makeRequest };
}

describe("the conversation about a build", () => {
  test("says at once where it stands, then each step once, then the answer with its result", async () => {
    const { conversation, makeRequest } = makeStage();
    const { assignment, sent } = makeRequest();
    conversation.take(assignment);
    assert.deepEqual(
      [conversation.reach(2), conversation.reach(2), conversation.reach(1), conversation.step],
      [true, false, false, "scheduled"],
    );
    assert.equal(await conversation.answer(PASSED, { node: "node-1" }), true);
    assert.deepEqual(sent, ["data -", "status 0/6", "status 2/6", "status 6/6", "data SUCCESS", "complete SUCCESS"]);
    assert.equal(conversation.isClaimed, false);
  });

  test("ends with WORK_FAIL and without a result where Zuul is to run the build again", async () => {
    const { conversation, makeRequest } = makeStage();
    const { assignment, sent } = makeRequest();
    conversation.take(assignment);
    assert.equal(await conversation.answer(infrastructure("job-gone", "gone")), true);
    assert.deepEqual(sent.slice(-2), ["data -", "fail"]);
  });

  test("is not over when the link went before the answer was read: whoever asks next is answered", async () => {
    const { conversation, makeRequest } = makeStage();
    conversation.take(makeRequest("lost").assignment);
    assert.deepEqual([await conversation.answer(PASSED), await conversation.answer(PASSED)], [false, false]);
    conversation.take(makeRequest().assignment);
    assert.equal(await conversation.answer(PASSED), true);
  });

  test("tells who asks next where the build stands by then, and gives an earlier request back", () => {
    const { conversation, makeRequest } = makeStage();
    const [first, second] = [makeRequest(), makeRequest()];
    conversation.take(first.assignment);
    conversation.reach(4);
    conversation.take(second.assignment);
    assert.deepEqual([first.sent.at(-1), second.sent], ["fail", ["data -", "status 4/6"]]);
    first.lose();
    assert.equal(conversation.isClaimed, true);
  });
});

describe("a request that is handed back", () => {
  test("is its build's until its link is lost where its server queues it again, and else has failed at once", () => {
    const { conversation, makeRequest, world } = makeStage();
    const [queued, failed] = [makeRequest(), makeRequest()];
    conversation.take(queued.assignment);
    world.isQueuedAgain = true;
    conversation.handBack();
    assert.deepEqual([conversation.isClaimed, queued.sent.at(-1)], [true, "status 0/6"]);
    queued.lose();
    assert.equal(conversation.isClaimed, false);
    conversation.handBack();
    conversation.take(failed.assignment);
    world.isQueuedAgain = false;
    const { changes } = world;
    conversation.handBack();
    assert.deepEqual([conversation.isClaimed, failed.sent.at(-1), world.changes], [false, "fail", changes + 1]);
  });
});

describe("a request that another one has taken the place of", () => {
  test("takes nothing from that one: neither by its answer, nor when its link or its client goes", async () => {
    const { conversation, makeRequest } = makeStage();
    const reading = Promise.withResolvers<Delivery>();
    const [first, second] = [makeRequest(), makeRequest()];
    conversation.take({ ...first.assignment, complete: () => reading.promise });
    const answered = conversation.answer(PASSED);
    conversation.take(second.assignment);
    reading.resolve("delivered");
    assert.deepEqual([await answered, conversation.isClaimed], [true, true]);
    first.lose();
    first.leave();
    assert.deepEqual([conversation.isClaimed, second.sent.includes("fail")], [true, false]);
    assert.equal(await conversation.answer(PASSED), true);
    assert.equal(second.sent.at(-1), "complete SUCCESS");
  });

  test("is none where its link is gone before it is taken", () => {
    const { conversation, makeRequest } = makeStage();
    const { assignment, lose } = makeRequest();
    lose();
    conversation.take(assignment);
    assert.equal(conversation.isClaimed, false);
  });

  test("is told of a build that has its verdict that all is done, and nothing is told to nobody", () => {
    const { conversation, makeRequest } = makeStage();
    assert.equal(conversation.reach(3), true);
    conversation.conclude();
    const { assignment, sent } = makeRequest();
    conversation.take(assignment);
    assert.deepEqual([sent, conversation.step], [["data -", "status 6/6"], "ended"]);
  });

  test("changes nobody's mind once it was answered: who asks next is known to have to ask", async () => {
    const { conversation, makeRequest, world } = makeStage();
    conversation.take(makeRequest().assignment);
    const { changes } = world;
    await conversation.answer(PASSED);
    assert.deepEqual([world.changes, conversation.isClaimed], [changes, false]);
    conversation.giveUp();
    await conversation.fail();
    assert.equal(conversation.isClaimed, false);
  });
});

describe("a build that nobody asks for", () => {
  /** Lets time pass as a build does that looks when it is told to; returns after how long it is given up, undefined if not by then. */
  function passUntilGivenUp({ clock, conversation }: ReturnType<typeof makeStage>, ms: number): number | undefined {
    for (let passed = 0; ; ) {
      const leftMs = conversation.look();
      if (leftMs !== undefined && leftMs <= 0) return passed;
      if (passed >= ms) return undefined;
      const step = Math.min(leftMs ?? ms, ms - passed);
      clock.skip(step);
      passed += step;
    }
  }

  test("has two minutes from the loss of the link", () => {
    const stage = makeStage();
    const { assignment, lose } = stage.makeRequest();
    stage.conversation.take(assignment);
    stage.clock.skip(10 * MINUTE);
    assert.equal(stage.conversation.look(), undefined);
    lose();
    assert.equal(passUntilGivenUp(stage, 10 * MINUTE), 2 * MINUTE);
  });

  test("has none of it counted while its server is away or there is no chance to be asked for, and all that was counted stays so", () => {
    const stage = makeStage();
    const { world, conversation } = stage;
    for (const chance of ["away", "none", "away", "none"] as const) {
      world.chance = "open";
      conversation.noteServer();
      assert.equal(passUntilGivenUp(stage, 29_000), undefined);
      world.chance = chance;
      conversation.noteServer();
      assert.equal(passUntilGivenUp(stage, 5 * MINUTE), undefined);
    }
    world.chance = "open";
    conversation.noteServer();
    assert.equal(passUntilGivenUp(stage, MINUTE), 4000);
  });

  test("is given up after a quarter of an hour without its server", () => {
    const stage = makeStage();
    stage.world.chance = "away";
    stage.conversation.noteServer();
    assert.equal(passUntilGivenUp(stage, 60 * MINUTE), 15 * MINUTE);
  });

  test("is looked at again when its server comes or goes, and not for what changes nothing", () => {
    const { world, conversation } = makeStage();
    const changesAt = (chance: Chance) => {
      world.chance = chance;
      conversation.noteServer();
      return world.changes;
    };
    assert.deepEqual([changesAt("open"), changesAt("away"), changesAt("away"), changesAt("open"), changesAt("none")], [0, 1, 1, 2, 3]);
  });

  test("has no time left when its client has gone though the server is there, chance or not", () => {
    const { world, conversation, makeRequest } = makeStage();
    const { assignment, sent, leave } = makeRequest();
    conversation.take(assignment);
    leave();
    world.chance = "none";
    conversation.noteServer();
    conversation.restart();
    assert.deepEqual([conversation.look(), sent.at(-1)], [Number.NEGATIVE_INFINITY, "fail"]);
    conversation.take(makeRequest().assignment);
    assert.equal(conversation.look(), undefined);
  });

  test("has no time left when it is dismissed, which it is not while somebody asks for it", () => {
    const { conversation, makeRequest } = makeStage();
    conversation.take(makeRequest().assignment);
    assert.deepEqual([conversation.dismiss(), conversation.look()], [false, undefined]);
    const other = makeStage().conversation;
    assert.deepEqual([other.dismiss(), other.look()], [true, Number.NEGATIVE_INFINITY]);
  });

  test("begins anew when it comes back to this replica, without a word to who asks for it already", () => {
    const stage = makeStage();
    const { conversation, makeRequest } = stage;
    assert.equal(passUntilGivenUp(stage, MINUTE), undefined);
    conversation.restart();
    assert.equal(passUntilGivenUp(stage, 119_000), undefined);
    conversation.take(makeRequest().assignment);
    conversation.restart();
    assert.equal(conversation.isClaimed, true);
  });

  test("is given back to its server when another replica answers for it", () => {
    const stage = makeStage();
    const { conversation, makeRequest } = stage;
    const { assignment, sent } = makeRequest();
    conversation.take(assignment);
    conversation.giveUp();
    assert.deepEqual([sent.at(-1), conversation.isClaimed], ["fail", false]);
    assert.equal(passUntilGivenUp(stage, 10 * MINUTE), 2 * MINUTE);
  });
});
