import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GearmanError } from "../../../../src/gearman/wire/gearman-error.ts";
import { PACKET } from "../../../../src/gearman/wire/packet.ts";
import { StopListener } from "../../../../src/gearman/worker/stop-listener.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeFakeConnection } from "../support/fake-connection.ts";

function makeBench(onStop: (payload: Buffer, server: string) => void = () => undefined) {
  const manager = new StopListener({ server: "s:1", clientId: "id/manager", managerName: "m", logger: silentLogger, onStop });
  const connection = makeFakeConnection();
  manager.onOpen(connection);
  const assign = (functionName: string, payload = "{}") => {
    const body = Buffer.from(["H:9", functionName, "u", payload].join("\0"));
    manager.onPacket(PACKET.JOB_ASSIGN_UNIQ, body, body.length);
  };
  const receive = (type: typeof PACKET.NO_JOB | typeof PACKET.NOOP) => manager.onPacket(type, Buffer.alloc(0), 0);
  return { manager, connection, assign, receive };
}

describe("StopListener", () => {
  test("serves stop:<manager> alone and always asks for the next one", () => {
    const { connection, receive } = makeBench();
    assert.deepEqual(connection.takeSent(), ["SET_CLIENT_ID id/manager", "CAN_DO stop:m", "GRAB_JOB_UNIQ"]);
    receive(PACKET.NO_JOB);
    assert.deepEqual(connection.takeSent(), ["PRE_SLEEP"]);
    receive(PACKET.NOOP);
    receive(PACKET.NOOP);
    assert.deepEqual(connection.takeSent(), ["GRAB_JOB_UNIQ"]);
  });

  test("hands over the payload as it came and answers {}", () => {
    const stops: [string, string][] = [];
    const { connection, assign } = makeBench((payload, server) => stops.push([payload.toString(), server]));
    connection.takeSent();
    assign("stop:m", '{"name":"unit","number":"7"}');
    assert.deepEqual(stops, [['{"name":"unit","number":"7"}', "s:1"]]);
    assert.deepEqual(connection.takeSent(), ["WORK_COMPLETE H:9 {}", "GRAB_JOB_UNIQ"]);
  });

  test("answers even when the receiver throws, and refuses other functions", () => {
    const { connection, assign } = makeBench(() => {
      throw new Error("a bug");
    });
    connection.takeSent();
    assign("stop:m");
    assign("build:a");
    assert.deepEqual(connection.takeSent(), ["WORK_COMPLETE H:9 {}", "GRAB_JOB_UNIQ", "WORK_FAIL H:9", "GRAB_JOB_UNIQ"]);
  });

  test("gives up the connection on what it did not ask for", () => {
    const { assign, receive } = makeBench();
    receive(PACKET.NO_JOB);
    const isViolation = (error: unknown) => error instanceof GearmanError && error.code === "TH_GEARMAN_PROTOCOL";
    assert.throws(() => assign("stop:m"), isViolation);
    assert.throws(() => receive(PACKET.NO_JOB), isViolation);
  });

  test("asks anew on a new connection", () => {
    const { manager, receive } = makeBench();
    receive(PACKET.NO_JOB);
    manager.onClose();
    const again = makeFakeConnection();
    manager.onOpen(again);
    assert.equal(again.sent.at(-1), "GRAB_JOB_UNIQ");
  });
});
