import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PACKET } from "../../../../src/gearman/wire/packet.ts";
import { Registrar } from "../../../../src/gearman/worker/registrar.ts";
import { makeFakeConnection } from "../support/fake-connection.ts";

function makeBench(functions: string[] = ["build:a"]) {
  const changes: string[] = [];
  const registrar = new Registrar({
    clientId: "id/registrar",
    onChange: () => changes.push(`connected ${registrar.isConnected}, registered ${registrar.isRegistered}, ${registrar.kind}`),
  });
  registrar.setFunctions(new Set(functions));
  const open = () => {
    const connection = makeFakeConnection();
    registrar.onOpen(connection);
    return connection;
  };
  return { registrar, changes, open };
}

describe("Registrar", () => {
  test("registers every function, asks for no work, and is registered when the server has read them", () => {
    const { registrar, open } = makeBench(["build:a", "build:b"]);
    const connection = open();
    assert.deepEqual(connection.sent, ["SET_CLIENT_ID id/registrar", "CAN_DO build:a", "CAN_DO build:b", "GET_STATUS proof"]);
    assert.equal(registrar.isRegistered, false);
    connection.answer();
    assert.equal(registrar.isRegistered, true);
  });

  test("sends only new functions, is not registered until they are read, and takes none back while connected", () => {
    const { registrar, open, changes } = makeBench(["build:a"]);
    const connection = open();
    connection.answer();
    connection.takeSent();
    registrar.setFunctions(new Set(["build:a"]));
    assert.deepEqual(connection.takeSent(), []);
    registrar.setFunctions(new Set(["build:b"]));
    assert.deepEqual(connection.takeSent(), ["CAN_DO build:b", "GET_STATUS proof"]);
    assert.equal(registrar.isRegistered, false);
    registrar.setFunctions(new Set(["build:b", "build:c"]));
    connection.answer();
    assert.equal(registrar.isRegistered, false, "build:c is not proven yet");
    connection.answer();
    assert.equal(registrar.isRegistered, true);
    assert.deepEqual(
      changes.map((change) => /registered (\w+)/.exec(change)?.[1]),
      ["true", "false", "true"],
    );
    registrar.onClose();
    assert.deepEqual(open().sent.slice(1, 3), ["CAN_DO build:b", "CAN_DO build:c"], "a new connection has the present set");
  });

  for (const [kind, isAnswered] of [
    ["gearmand", true],
    ["geard", false],
  ] as const) {
    test(`knows ${kind} by ${isAnswered ? "its" : "no"} answer to GET_STATUS_UNIQUE`, () => {
      const { registrar, open, changes } = makeBench();
      const connection = open();
      connection.answer();
      connection.takeSent();
      registrar.onReady();
      assert.deepEqual(connection.sent, ["GET_STATUS_UNIQUE turbo-hipster:probe", "GET_STATUS proof"]);
      if (isAnswered) registrar.onPacket(PACKET.STATUS_RES_UNIQUE);
      connection.answer();
      assert.equal(registrar.kind, kind);
      assert.equal(changes.at(-1), `connected true, registered true, ${kind}`);
      registrar.onClose();
      assert.equal(changes.at(-1), "connected false, registered false, unknown");
    });
  }

  /** Opens a connection and tells what is asked on it. */
  function ask({ registrar, open }: ReturnType<typeof makeBench>) {
    const connection = open();
    connection.answer();
    connection.takeSent();
    registrar.onReady();
    const close = () => {
      connection.close();
      registrar.onClose();
    };
    return { connection, asked: connection.sent.length > 0, close };
  }

  test("asks again when the link was reset over the question, and then knows", () => {
    const bench = makeBench();
    ask(bench).close();
    const again = ask(bench);
    assert.equal(again.asked, true);
    again.connection.answer();
    assert.equal(bench.registrar.kind, "geard");
    again.close();
    assert.deepEqual([bench.registrar.kind, ask(bench).asked], ["unknown", true]);
  });

  test("leaves a server in peace that closes each connection over the question, until it has lost one for another reason", () => {
    const bench = makeBench();
    for (let count = 0; count < 3; count += 1) {
      const { asked, close } = ask(bench);
      assert.equal(asked, true);
      close();
    }
    const quiet = ask(bench);
    assert.deepEqual([quiet.asked, bench.registrar.isConnected, bench.registrar.isRegistered], [false, true, true]);
    quiet.close();
    assert.equal(ask(bench).asked, true);
  });
});
