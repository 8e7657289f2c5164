import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { encodeFrame } from "../../../src/core/artifacts/archive-frames.ts";
import { upload } from "../../../src/in-pod/collect/upload.ts";
import { startUploadServer } from "../../support/artifacts/upload-server.ts";

const { signal } = new AbortController();
async function plainStatus(url: string, init: RequestInit = {}): Promise<number> {
  const answer = await fetch(url, { ...init, headers: { authorization: "Bearer uid-1", connection: "close" } });
  await answer.text();
  return answer.status;
}

const whole = async function* () {
  yield* encodeFrame({ kind: "end", leftOut: 0 });
};

function statusOf(answer: Promise<string>): Promise<string> {
  return answer.catch((error: Error) => /answered (\d+)/.exec(error.message)?.[1] ?? error.message);
}

describe("the upload of artifacts", () => {
  test("is refused before a byte is sent, with a status that says whether to come again", async () => {
    let isApiAway = false;
    await using server = await startUploadServer({
      async podOf(token) {
        if (isApiAway) throw new Error("away");
        return token === "none" ? undefined : { namespace: "ci", uid: token };
      },
    });
    let sent = 0;
    const body = async function* () {
      sent += 1;
      yield Buffer.from("x");
    };
    const ask = (token: string, url = server.url) => statusOf(upload(new URL(url), { token, body, signal }));
    assert.equal(await ask("none"), "401");
    assert.equal(await ask("uid-2"), "403");
    assert.equal(await ask("uid-1", server.url.replace("build-1", "build-2")), "404");
    isApiAway = true;
    assert.equal(await ask("uid-1"), "503");
    assert.equal(sent, 0);
    assert.equal(await plainStatus(server.url, { method: "PUT", body: "x" }), 405);
    assert.equal(await plainStatus(server.url), 404);
  });

  test("that is no archive is refused, and the server goes on", async () => {
    await using server = await startUploadServer();
    const nonsense = async function* () {
      for (let i = 0; i < 100; i += 1) yield Buffer.alloc(100_000, "tar");
    };
    const answer = await statusOf(upload(new URL(server.url), { token: "uid-1", body: nonsense, signal }));
    assert.equal(answer, "400");
    assert.equal(await upload(new URL(server.url), { token: "uid-1", body: whole, signal }), "stored 0 files\n");
    assert.equal(await plainStatus(`http://127.0.0.1:${server.port}/healthz`), 200);
  });

  test("of a collector that comes again takes the place of the one that it has left", async () => {
    await using server = await startUploadServer();
    const stuck = connect(server.port, "127.0.0.1");
    stuck.write(
      "PUT /builds/build-1/artifacts HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer uid-1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    let said = "";
    stuck.on("data", (chunk) => {
      said += chunk;
    });
    await once(stuck, "data");
    assert.match(said, /^HTTP\/1.1 100 Continue/);
    assert.equal(await upload(new URL(server.url), { token: "uid-1", body: whole, signal }), "stored 0 files\n");
    assert.equal(server.records.length, 1);
    // The one that was left behind is told, and its connection let go.
    while (!said.includes("HTTP/1.1 503")) await once(stuck, "data");
    stuck.destroy();
  });

  test("does not give way to connections that ask for nothing, however many come from its address", { timeout: 20_000 }, async () => {
    await using server = await startUploadServer();
    const uploading = connect(server.port, "127.0.0.1");
    const ended = once(uploading, "close").then(() => "gone");
    uploading.write(
      "PUT /builds/build-1/artifacts HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer uid-1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    await once(uploading, "data");
    const idle = Array.from({ length: 110 }, () => connect(server.port, "127.0.0.1").on("error", () => {}));
    // As many as are too many have been let go.
    const gone = idle.map((socket) => once(socket, "close"));
    assert.notEqual(await Promise.race([...gone, ended]), "gone");
    for (const socket of idle) socket.destroy();
    const pieces = await Array.fromAsync(whole());
    const bytes = Buffer.concat(pieces);
    const answered = once(uploading, "data");
    uploading.write(`${bytes.length.toString(16)}\r\n`);
    uploading.write(bytes);
    uploading.write("\r\n0\r\n\r\n");
    assert.match(String(await answered), /^HTTP\/1.1 200/);
    uploading.destroy();
  });
});
