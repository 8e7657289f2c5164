import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { describe, test } from "node:test";
import { guessHostAddress, type Kubectl } from "../../../deploy/context-cluster.ts";

/** An address of this machine that others could reach. */
const OWN = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .find(({ internal, family }) => !internal && family === "IPv4")?.address;

/** Of a cluster with its API server at `server` and its first node at `node`. */
const kubectlOf =
  (server: string, node: string): Kubectl =>
  async (args) =>
    args.includes("view") ? server : node;

describe("this machine's address as pods reach it", () => {
  const skip = OWN === undefined && "this machine has no address but its loopback";

  test("is that from which it reaches the API server", { skip }, async () => {
    assert.equal(await guessHostAddress(kubectlOf(`https://${OWN}:6443`, "")), OWN);
  });

  test("is, where the API server is forwarded to this machine, that from which it reaches a node", { skip }, async () => {
    assert.equal(await guessHostAddress(kubectlOf("https://127.0.0.1:6443", OWN ?? "")), OWN);
  });

  test("has to be named where neither tells", async () => {
    await assert.rejects(guessHostAddress(kubectlOf("https://127.0.0.1:6443", "")), /--host-address/);
    await assert.rejects(guessHostAddress(kubectlOf("https://127.0.0.1:6443", "127.0.0.1")), /--host-address/);
  });
});
