import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Assignment } from "../../../../src/core/zuul/assignment.ts";
import { GearmanError } from "../../../../src/gearman/wire/gearman-error.ts";
import { PACKET } from "../../../../src/gearman/wire/packet.ts";
import { Lane } from "../../../../src/gearman/worker/lane.ts";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { type FakeConnection, makeFakeConnection } from "../support/fake-connection.ts";

const isViolation = (error: unknown) => error instanceof GearmanError && error.code === "TH_GEARMAN_PROTOCOL";

function makeBench(
  options: {
    capacity?: number;
    functions?: string[];
    countsClients?: boolean;
    queuesAgain?: boolean;
    /** Functions of builds that wait for their requests. */
    awaited?: string[];
    clientGoneAfterMs?: number;
    onAssignment?: (assignment: Assignment) => void;
  } = {},
) {
  const clock = makeManualClock();
  const slots = makeSlotPool({ capacity: options.capacity ?? 1 });
  const assignments: Assignment[] = [];
  let retired = 0;
  const lane = new Lane({
    server: "server:4730",
    name: "x",
    clientId: "id",
    functions: options.functions ?? ["build:a"],
    slots,
    countsClients: () => options.countsClients ?? false,
    queuesAgain: () => options.queuesAgain ?? false,
    clientGoneAfterMs: options.clientGoneAfterMs ?? 60_000,
    logger: silentLogger,
    clock,
    onAssignment: (assignment) => {
      assignments.push(assignment);
      options.onAssignment?.(assignment);
    },
    isAwaited: (serves) => options.awaited?.some(serves) ?? false,
    onReady: () => undefined,
    onRetired: () => {
      retired += 1;
    },
  });
  const open = (): FakeConnection => {
    const connection = makeFakeConnection();
    lane.onOpen(connection);
    return connection;
  };
  return { lane, slots, assignments, open, clock, retired: () => retired };
}

function assign(lane: Lane, handle: string, functionName = "build:a", unique = "u", payload = "{}"): void {
  const body = Buffer.from([handle, functionName, unique, payload].join("\0"));
  lane.onPacket(PACKET.JOB_ASSIGN_UNIQ, body, body.length);
}

const nothing = Buffer.alloc(0);
const mayBegin = () => true;
const sendNoJob = (lane: Lane) => lane.onPacket(PACKET.NO_JOB, nothing, 0);
const sendNoop = (lane: Lane) => lane.onPacket(PACKET.NOOP, nothing, 0);

describe("Lane", () => {
  test("announces itself, reserves a slot and asks for one build", () => {
    const { open, slots } = makeBench({ functions: ["build:a", "build:b"] });
    assert.deepEqual(open().sent, ["SET_CLIENT_ID id", "CAN_DO build:a", "CAN_DO build:b", "GRAB_JOB_UNIQ"]);
    assert.equal(slots.used, 1);
  });

  test("frees the slot and sleeps when there is no build, and asks again when woken", () => {
    const { lane, open, slots } = makeBench();
    const connection = open();
    connection.takeSent();
    sendNoJob(lane);
    assert.deepEqual(connection.takeSent(), ["PRE_SLEEP"]);
    assert.equal(slots.used, 0);
    sendNoop(lane);
    assert.deepEqual(connection.takeSent(), ["GRAB_JOB_UNIQ"]);
    sendNoop(lane);
    assert.deepEqual(connection.takeSent(), [], "one GRAB is outstanding already");
  });

  test("asks for the next build while one runs if there is a slot, else when one becomes free", () => {
    const { lane, open, slots, assignments } = makeBench({ capacity: 2 });
    const connection = open();
    connection.takeSent();
    assign(lane, "H:1");
    assert.deepEqual(connection.takeSent(), ["GRAB_JOB_UNIQ"]);
    assign(lane, "H:2");
    assert.deepEqual(connection.takeSent(), []);
    assignments[0]?.slot.release();
    assert.deepEqual(connection.takeSent(), ["GRAB_JOB_UNIQ"]);
    assert.equal(slots.used, 2);
  });

  test("does not ask when woken by the server without a slot, and asks when there is one", () => {
    const { lane, open, slots } = makeBench();
    const connection = open();
    sendNoJob(lane);
    const other = slots.tryReserve();
    connection.takeSent();
    sendNoop(lane);
    assert.deepEqual(connection.takeSent(), []);
    other?.release();
    assert.deepEqual(connection.takeSent(), ["GRAB_JOB_UNIQ"]);
  });

  test("asks without a slot while a build waits for its request; what comes waits in line, and is first when there is a slot", () => {
    const awaited = ["build:a"];
    const { lane, open, slots, assignments } = makeBench({ awaited });
    const running = slots.tryReserve();
    const connection = open();
    assert.equal(connection.takeSent().at(-1), "GRAB_JOB_UNIQ");
    assign(lane, "H:1");
    assign(lane, "H:2");
    assert.deepEqual(connection.takeSent(), ["GRAB_JOB_UNIQ", "GRAB_JOB_UNIQ"]);
    awaited.pop();
    sendNoJob(lane);
    sendNoop(lane);
    assert.deepEqual(connection.takeSent(), ["PRE_SLEEP"], "nobody waits any more");
    const turns: string[] = [];
    for (const { handle, slot } of assignments) slot.onTurn?.(() => turns.push(handle), mayBegin);
    assert.deepEqual([turns, slots.used], [[], 1]);
    running?.release();
    assert.deepEqual([turns, slots.used, connection.takeSent()], [["H:1"], 1, []]);
    assignments[0]?.slot.release();
    assert.deepEqual([turns, slots.used, connection.takeSent()], [["H:1", "H:2"], 1, []]);
    assignments[1]?.slot.release();
    assert.deepEqual([slots.used, connection.takeSent()], [1, ["GRAB_JOB_UNIQ"]]);
  });

  test("asks without a slot for no function but its own, when told to, and holds no more than it may", () => {
    const awaited = ["build:b"];
    const { lane, open, slots, assignments } = makeBench({ awaited });
    slots.tryReserve();
    const connection = open();
    connection.takeSent();
    lane.lookAgain();
    assert.deepEqual(connection.takeSent(), []);
    awaited.push("build:a");
    lane.lookAgain();
    assert.deepEqual(connection.takeSent(), ["GRAB_JOB_UNIQ"]);
    for (let count = 1; count <= 500; count += 1) assign(lane, `H:${count}`);
    assert.equal(connection.takeSent().length, 499);
    assert.equal(lane.chance, "none");
    assignments[7]?.slot.release();
    lane.lookAgain();
    assert.deepEqual([connection.takeSent(), lane.chance], [["GRAB_JOB_UNIQ"], "open"]);
  });

  test("serves others in line, and asks for more, while one may not begin; and that one when it may, retired or not", () => {
    const awaited = ["build:a"];
    const { lane, open, slots, assignments } = makeBench({ capacity: 2, awaited });
    const running = [slots.tryReserve(), slots.tryReserve()];
    const connection = open();
    assign(lane, "H:1");
    assign(lane, "H:2");
    awaited.pop();
    sendNoJob(lane);
    sendNoop(lane);
    connection.takeSent();
    const turns: string[] = [];
    let isLimited = true;
    for (const { handle, slot } of assignments)
      slot.onTurn?.(
        () => turns.push(handle),
        () => handle !== "H:1" || !isLimited,
      );
    running[0]?.release();
    assert.deepEqual([turns, connection.takeSent()], [["H:2"], []]);
    running[1]?.release();
    assert.deepEqual([turns, connection.takeSent()], [["H:2"], ["GRAB_JOB_UNIQ"]]);
    lane.retire();
    sendNoJob(lane);
    isLimited = false;
    lane.lookAgain();
    assert.deepEqual([turns, slots.used, connection.takeSent()], [["H:2", "H:1"], 2, []]);
  });

  test("gives nothing to those in line whose link is lost, nor to those who left it", () => {
    const { lane, open, slots, assignments } = makeBench({ awaited: ["build:a"] });
    const running = slots.tryReserve();
    open();
    assign(lane, "H:1");
    assign(lane, "H:2");
    const turns: string[] = [];
    for (const { handle, slot } of assignments) slot.onTurn?.(() => turns.push(handle), mayBegin);
    assignments[0]?.slot.release();
    lane.onClose();
    running?.release();
    assert.deepEqual([turns, slots.used], [[], 0]);
  });

  describe("whose requests in line are to be another replica's", () => {
    function makeFull(queuesAgain: boolean) {
      const bench = makeBench({ queuesAgain, awaited: ["build:a"], capacity: 2 });
      const connection = bench.open();
      for (const handle of ["H:1", "H:2", "H:3"]) assign(bench.lane, handle);
      connection.takeSent();
      return { ...bench, connection };
    }

    test("closes its connection, running builds and all, once the server has read the ends under way, and asks and begins nothing before", () => {
      const { lane, connection, assignments, slots, open } = makeFull(true);
      const turns: string[] = [];
      assignments[2]?.slot.onTurn?.(() => turns.push("H:3"), mayBegin);
      // Its proof is the next GRAB's answer.
      void assignments[0]?.complete("{}");
      connection.takeSent();
      assert.equal(assignments[2]?.handBack(), true);
      assert.equal(assignments[2]?.handBack(), true);
      assignments[0]?.slot.release();
      assert.equal(connection.isOpen, true, "an end is not proven");
      connection.answer();
      assert.deepEqual([connection.isOpen, connection.takeSent(), turns, slots.used], [false, [], [], 1]);
      lane.onClose();
      assert.deepEqual(
        assignments.map(({ lost }) => lost.aborted),
        [false, true, true],
        "the first one's end was read",
      );
      assert.equal(assignments[2]?.handBack(), false, "it is lost already");
      assert.equal(open().sent.at(-1), "GRAB_JOB_UNIQ", "it goes on where it is not retired");
    });

    test("is done by that when it is retired", () => {
      const { lane, connection, assignments, retired } = makeFull(true);
      lane.retire();
      assignments[2]?.handBack();
      assert.equal(connection.destroyedWith?.code, "TH_GEARMAN_STOPPED");
      lane.onClose();
      assert.deepEqual([retired(), lane.wantsConnection], [1, false]);
    });

    test("leaves it to them where the server ends what a connection leaves", () => {
      const { connection, assignments } = makeFull(false);
      assert.deepEqual([assignments[2]?.handBack(), connection.isOpen, connection.takeSent()], [false, true, []]);
    });
  });

  test("asks for no build between an end and its proof", () => {
    const { lane, open, assignments } = makeBench({ capacity: 2 });
    const connection = open();
    assign(lane, "H:1");
    sendNoJob(lane);
    connection.takeSent();
    void assignments[0]?.complete("{}");
    sendNoop(lane);
    assert.deepEqual(connection.takeSent(), ["WORK_COMPLETE H:1 {}", "GET_STATUS H:1"]);
    connection.answer(false);
    assert.deepEqual(connection.takeSent(), ["GRAB_JOB_UNIQ"]);
  });

  test("asks for the next build together with an end where it may, and takes the answer as its proof", async () => {
    const ends: Promise<string>[] = [];
    const { lane, open } = makeBench({ capacity: 2, onAssignment: (assignment) => ends.push(assignment.complete("{}")) });
    const connection = open();
    connection.takeSent();
    assign(lane, "H:1");
    assert.deepEqual(connection.takeSent(), ["WORK_COMPLETE H:1 {}", "GRAB_JOB_UNIQ"]);
    assign(lane, "H:1");
    assert.equal(ends.length, 2, "the handle is free again with its proof");
    assert.deepEqual(connection.takeSent(), ["WORK_COMPLETE H:1 {}", "GET_STATUS H:1"], "both slots are held");
    connection.answer();
    assert.deepEqual(await Promise.all(ends), ["delivered", "delivered"]);
    const other = makeBench({ capacity: 2, onAssignment: (assignment) => ends.push(assignment.complete("{}")) });
    other.open();
    assign(other.lane, "H:2");
    other.lane.onClose();
    assert.equal(await ends[2], "lost");
  });

  test("resolves an end as delivered when the server has answered, as lost when the link went first", async () => {
    const { lane, open, assignments } = makeBench({ capacity: 2 });
    const connection = open();
    assign(lane, "H:1");
    assign(lane, "H:2");
    const [first, second] = assignments as [Assignment, Assignment];
    const ends = [first.complete("{}"), second.fail()];
    connection.answer();
    connection.close();
    lane.onClose();
    assert.deepEqual(await Promise.all(ends), ["delivered", "lost"]);
    assert.deepEqual([first.lost.aborted, second.lost.aborted], [false, true]);
  });

  describe("whether somebody waits for a build", () => {
    const countClients = (lane: Lane, clients: number, unique = "u") => {
      const body = Buffer.from(["u", "1", "1", "0", "0", `${clients}`].join("\0").replace("u", unique));
      lane.onPacket(PACKET.STATUS_RES_UNIQUE, body, body.length);
    };

    test("asks the server every 30 s, and tells when there has been nobody for the grace", () => {
      const { lane, open, assignments, clock } = makeBench();
      const connection = open();
      assign(lane, "H:1");
      const { clientGone } = assignments[0] as Assignment;
      connection.takeSent();
      clock.skip(29_999);
      assert.deepEqual(connection.takeSent(), []);
      clock.skip(1);
      assert.deepEqual(connection.takeSent(), ["GET_STATUS H:1"]);
      connection.answer();
      clock.skip(29_999);
      assert.deepEqual(connection.takeSent(), []);
      clock.skip(1);
      connection.answer(false);
      clock.skip(59_000);
      assert.equal(clientGone.aborted, false);
      clock.skip(1000);
      assert.equal(clientGone.aborted, false, "it is asked once more");
      connection.answer(false);
      assert.equal(clientGone.aborted, true);
      assert.equal(clock.pending, 0);
    });

    test("has one question open at a time, however many builds there are, and none after the end or on a lost link", () => {
      const { lane, open, assignments, clock } = makeBench({ capacity: 3 });
      const connection = open();
      for (const handle of ["H:1", "H:2", "H:3"]) assign(lane, handle, "build:a", handle);
      void assignments[2]?.complete("{}");
      connection.takeSent();
      connection.answer();
      clock.skip(31_000);
      assert.deepEqual(connection.questions, ["H:1"]);
      clock.skip(100_000);
      assert.deepEqual(connection.questions, ["H:1"]);
      connection.answer();
      clock.skip(1);
      assert.deepEqual(connection.questions, ["H:2"]);
      connection.close();
      lane.onClose();
      assert.equal(clock.pending, 0);
    });

    test("is what gearmand counts, and a client that is there again in time is one", () => {
      const { lane, open, assignments, clock } = makeBench({ countsClients: true });
      const connection = open();
      connection.takeSent();
      assign(lane, "H:1");
      assert.deepEqual(connection.takeSent(), ["GET_STATUS_UNIQUE u"]);
      const { clientGone } = assignments[0] as Assignment;
      const look = (afterMs: number, clients: number) => {
        clock.skip(afterMs);
        assert.deepEqual(connection.takeSent(), ["GET_STATUS_UNIQUE u", "GET_STATUS H:1"]);
        countClients(lane, clients);
        connection.answer();
      };
      countClients(lane, 1);
      look(30_000, 0);
      look(60_000, 1);
      look(30_000, 0);
      clock.skip(59_000);
      assert.equal(clientGone.aborted, false);
      look(1000, 0);
      assert.equal(clientGone.aborted, true);
    });

    test("is not asked by uniques that gearmand does not find, or that two builds share", () => {
      const { lane, open, assignments, clock } = makeBench({ capacity: 5, countsClients: true, functions: ["build:a", "build:b"] });
      const connection = open();
      for (const [index, unique] of ["", "-", "u".repeat(64)].entries()) assign(lane, `H:${index}`, "build:a", unique);
      assert.deepEqual(
        connection.takeSent().filter((packet) => packet.startsWith("GET_STATUS_UNIQUE")),
        [],
      );
      assign(lane, "H:3");
      assign(lane, "H:4", "build:b");
      countClients(lane, 1);
      countClients(lane, 0);
      const gone = assignments.map(({ clientGone }) => clientGone);
      for (let look = 0; look < 20; look += 1) {
        clock.skip(30_000);
        if (connection.questions.length > 0) connection.answer();
      }
      assert.ok(gone.every(({ aborted }) => !aborted));
    });

    test("is not known of a background request, which never has a client", () => {
      const { lane, open, assignments, clock } = makeBench({ countsClients: true });
      const connection = open();
      assign(lane, "H:1");
      const { clientGone } = assignments[0] as Assignment;
      for (let look = 0; look < 10; look += 1) {
        clock.skip(30_000);
        countClients(lane, 0);
        connection.answer();
      }
      assert.equal(clientGone.aborted, false);
    });
  });

  test("forgets everything of a lost link but the slots of builds that run", () => {
    const { lane, open, slots, assignments } = makeBench({ capacity: 4 });
    open();
    for (const handle of ["H:1", "H:2"]) assign(lane, handle);
    const [running, ended] = assignments as [Assignment, Assignment];
    const { lost } = running;
    void ended.complete("{}");
    assert.equal(slots.used, 3);
    lane.onClose();
    assert.equal(lost.aborted, true);
    assert.equal(slots.used, 2, "those of the two builds");
    const again = open();
    assert.deepEqual(again.takeSent(), ["SET_CLIENT_ID id", "CAN_DO build:a", "GRAB_JOB_UNIQ"]);
    assign(lane, "H:1");
    assert.equal(assignments.length, 3, "the handle is a new build's");
    assert.equal(assignments[2]?.lost.aborted, false);
    again.takeSent();
    running.sendData("{}");
    running.sendStatus(1, 2);
    void running.complete("{}");
    assert.deepEqual(again.takeSent(), [], "a stale handle would end somebody else's build");
  });

  test("refuses a build of a function it does not serve and goes on", () => {
    const { lane, open, slots, assignments } = makeBench();
    const connection = open();
    connection.takeSent();
    assign(lane, "H:1", "build:other");
    assert.deepEqual(connection.takeSent(), ["WORK_FAIL H:1", "GRAB_JOB_UNIQ"]);
    assert.equal(assignments.length, 0);
    assert.equal(slots.used, 1);
  });

  test("ignores the same build assigned twice, and takes the handle anew after its end", () => {
    const { lane, open, slots, assignments } = makeBench({ capacity: 2 });
    const connection = open();
    assign(lane, "H:1");
    connection.takeSent();
    assign(lane, "H:1");
    assert.equal(assignments.length, 1);
    assert.deepEqual(connection.takeSent(), ["GRAB_JOB_UNIQ"]);
    assert.equal(slots.used, 2);
    void assignments[0]?.complete("{}");
    assign(lane, "H:1");
    assert.equal(assignments.length, 2);
  });

  test("gives up the connection when one handle is given to two builds: it has one answer only", () => {
    for (const [functionName, unique, payload] of [
      ["build:b", "u", "{}"],
      ["build:a", "other", "{}"],
      ["build:a", "u", "[]"],
    ] as const) {
      const { lane, open, slots } = makeBench({ capacity: 2, functions: ["build:a", "build:b"] });
      open();
      assign(lane, "H:1");
      assert.throws(() => assign(lane, "H:1", functionName, unique, payload), isViolation);
      lane.onClose();
      assert.equal(slots.used, 1, "that of the build which runs");
    }
  });

  test("gives up the connection on an assignment or NO_JOB that it did not ask for, or with missing fields", () => {
    const { lane, open } = makeBench();
    open();
    sendNoJob(lane);
    assert.throws(() => sendNoJob(lane), isViolation);
    assert.throws(() => assign(lane, "H:1"), isViolation);
    const other = makeBench();
    other.open();
    assert.throws(() => other.lane.onPacket(PACKET.JOB_ASSIGN_UNIQ, Buffer.from("H:1\0build:a"), 11), isViolation);
  });

  test("serves uniques that are empty, very long or no UTF-8", () => {
    const { lane, open, assignments } = makeBench({ capacity: 3 });
    open();
    assign(lane, "H:1", "build:a", "");
    assign(lane, "H:2", "build:a", "u".repeat(3000));
    const body = Buffer.from("H:3\0build:a\0\xff\xfe\0", "latin1");
    lane.onPacket(PACKET.JOB_ASSIGN_UNIQ, body, body.length);
    assert.deepEqual(
      assignments.map(({ unique, payload }) => [unique, payload.toString()]),
      [
        ["", "{}"],
        ["u".repeat(3000), "{}"],
        ["\xff\xfe", ""],
      ],
    );
  });

  test("keeps a small payload apart from the large chunk it came in", () => {
    const { lane, open, assignments } = makeBench();
    open();
    const chunk = Buffer.alloc(65_536);
    const length = chunk.write("H:1\0build:a\0u\0{}");
    lane.onPacket(PACKET.JOB_ASSIGN_UNIQ, chunk.subarray(0, length), length);
    chunk.fill(1);
    assert.equal(assignments[0]?.payload.toString(), "{}");
  });

  test("asks for nothing after stopGrabbing, and does not look like a waiting worker", () => {
    const { lane, open, slots, assignments } = makeBench({ capacity: 2 });
    const connection = open();
    assign(lane, "H:1");
    connection.takeSent();
    lane.stopGrabbing();
    sendNoJob(lane);
    assignments[0]?.slot.release();
    assert.deepEqual(connection.takeSent(), []);
    assert.equal(slots.used, 0);
  });

  test("takes the build that the server gave just before stopGrabbing", () => {
    const { lane, open, assignments } = makeBench();
    open();
    lane.stopGrabbing();
    assign(lane, "H:1");
    assert.equal(assignments.length, 1);
  });

  describe("when retired", () => {
    test("closes after the proven end of its last build, and waits for the answer to its GRAB", () => {
      const { lane, open, assignments, retired } = makeBench({ capacity: 2 });
      const connection = open();
      assign(lane, "H:1");
      lane.retire();
      assert.equal(connection.isOpen, true, "a GRAB is unanswered");
      assign(lane, "H:2");
      void assignments[0]?.complete("{}");
      void assignments[1]?.fail();
      connection.answer();
      assert.equal(connection.isOpen, true, "the second end is not proven");
      connection.answer();
      assert.equal(connection.destroyedWith?.code, "TH_GEARMAN_STOPPED");
      assert.equal(retired(), 0);
      lane.onClose();
      assert.equal(retired(), 1);
      assert.equal(lane.wantsConnection, false);
    });

    test("closes at once when it sleeps, and needs no connection to be done", () => {
      const asleep = makeBench();
      const connection = asleep.open();
      sendNoJob(asleep.lane);
      asleep.lane.retire();
      assert.equal(connection.isOpen, false);
      const unconnected = makeBench();
      unconnected.lane.retire();
      assert.equal(unconnected.retired(), 1);
    });
  });

  test("adopts a larger set on its connection, a smaller one only while it has none", () => {
    const { lane, open, slots } = makeBench({ functions: ["build:a"] });
    const connection = open();
    connection.takeSent();
    assert.equal(lane.canAdopt(new Set(["build:b"])), false);
    assert.equal(lane.canAdopt(new Set(["build:a", "build:b"])), true);
    lane.adopt(new Set(["build:a", "build:b"]), slots);
    lane.adopt(new Set(["build:a", "build:b"]), slots);
    assert.deepEqual(connection.takeSent(), ["CAN_DO build:b"]);
    lane.onClose();
    assert.equal(lane.canAdopt(new Set(["build:b"])), true);
    lane.adopt(new Set(["build:b"]), slots);
    assert.deepEqual(open().sent, ["SET_CLIENT_ID id", "CAN_DO build:b", "GRAB_JOB_UNIQ"]);
  });

  test("asks for builds of a function that it adopts while it sleeps: nobody calls it for those that are queued already", () => {
    const { lane, open, slots } = makeBench({ functions: ["build:a"] });
    const connection = open();
    sendNoJob(lane);
    connection.takeSent();
    lane.adopt(new Set(["build:a"]), slots);
    assert.deepEqual(connection.takeSent(), []);
    lane.adopt(new Set(["build:a", "build:b"]), slots);
    assert.deepEqual(connection.takeSent(), ["CAN_DO build:b", "GRAB_JOB_UNIQ"]);
  });

  test("takes its next slot from a pool that replaced the old one, and gives the old ones back where they came from", () => {
    const { lane, open, slots, assignments } = makeBench();
    const connection = open();
    assign(lane, "H:1");
    const next = makeSlotPool({ capacity: 1 });
    lane.adopt(new Set(["build:a"]), next);
    assert.deepEqual([slots.used, next.used], [1, 1]);
    assignments[0]?.slot.release();
    assert.deepEqual([slots.used, next.used], [0, 1]);
    assert.equal(connection.sent.filter((packet) => packet === "GRAB_JOB_UNIQ").length, 2);
  });

  test("whatever a server and a receiver do: one GRAB at a time, with a slot; one end per build; no slot lost; nothing left of a lost link", async () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("assign" as const), handle: fc.nat(5), unique: fc.nat(8), own: fc.nat(9) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("noJob" as const, "noop" as const, "answer" as const) }) },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constantFrom("complete" as const, "fail" as const, "release" as const, "data" as const),
          index: fc.nat(20),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("close" as const, "error" as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("capacity" as const), capacity: fc.nat(4) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const { lane, open, slots, assignments } = makeBench({ capacity: 3 });
        let connection = open();
        const links: FakeConnection[] = [connection];
        const released = new Set<Assignment>();
        const linkOf = new Map<Assignment, FakeConnection>();
        const ends: Promise<string>[] = [];
        const reconnect = () => {
          connection.close();
          lane.onClose();
          connection = open();
          links.push(connection);
        };
        /** GRABs sent on this link and not answered, counted from outside. */
        let answered = 0;
        const unanswered = () => connection.sent.filter((packet) => packet === "GRAB_JOB_UNIQ").length - answered;
        const fromServer = (packet: () => void, isAnswer: boolean) => {
          if (isAnswer) answered += 1;
          try {
            packet();
          } catch (error) {
            assert.ok(isViolation(error), String(error));
            answered = 0;
            reconnect();
          }
          for (const assignment of assignments) if (!linkOf.has(assignment)) linkOf.set(assignment, connection);
        };
        for (const now of steps) {
          const target = "index" in now ? assignments[now.index % Math.max(1, assignments.length)] : undefined;
          if (now.kind === "assign") {
            const name = now.own === 0 ? "build:foreign" : "build:a";
            fromServer(() => assign(lane, `H:${now.handle}`, name, `${now.unique}`), true);
          } else if (now.kind === "noJob") fromServer(() => sendNoJob(lane), true);
          else if (now.kind === "noop") fromServer(() => sendNoop(lane), false);
          else if (now.kind === "error") fromServer(() => lane.onPacket(PACKET.ERROR, Buffer.from("x\0y"), 3), false);
          else if (now.kind === "answer") connection.answer();
          else if (now.kind === "close") {
            answered = 0;
            reconnect();
          } else if (now.kind === "capacity") slots.setCapacity(now.capacity);
          else if (target !== undefined && now.kind === "complete") ends.push(target.complete("{}"));
          else if (target !== undefined && now.kind === "fail") ends.push(target.fail());
          else if (target !== undefined && now.kind === "data") target.sendData("{}");
          else if (target !== undefined) {
            target.slot.release();
            released.add(target);
          }
          assert.ok(unanswered() === 0 || unanswered() === 1, `${unanswered()} GRABs at once`);
          const held = assignments.filter((assignment) => !released.has(assignment)).length;
          assert.equal(slots.used, held + unanswered());
        }
        reconnect();
        await Promise.all(ends);
        for (const link of links) {
          const finals = link.sent.filter((packet) => /^WORK_(COMPLETE|FAIL)/.test(packet)).map((packet) => packet.split(" ")[1]);
          for (const handle of new Set(finals)) {
            // A handle may be assigned again on the same link after its end; each time it has at most one more end.
            const builds = assignments.filter((assignment) => linkOf.get(assignment) === link && assignment.handle === handle).length;
            const refusals = link.sent.filter((packet) => packet === `WORK_FAIL ${handle}`).length;
            assert.ok(finals.filter((other) => other === handle).length <= builds + refusals);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
