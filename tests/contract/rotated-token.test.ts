import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { type KubeClient, loadKubeClient } from "../../src/kube/client/kube-client.ts";
import type { Resource } from "../../src/kube/client/resource.ts";
import type { StoredObject } from "../support/fake-kube/resource-rules.ts";
import { findRealKubeconfig, makeToken, NO_REAL_SERVER, openRealTarget } from "./contract-target.ts";

const SECRETS: Resource = { group: "", version: "v1", plural: "secrets" };
const REVIEWS: Resource = { group: "authentication.k8s.io", version: "v1", plural: "selfsubjectreviews" };
const BACKGROUND = { propagationPolicy: "Background" } as const;

const realKubeconfig = await findRealKubeconfig();
const skip = realKubeconfig === undefined ? NO_REAL_SERVER : false;

/** Who the API server takes the client for. */
async function whoIs(client: KubeClient): Promise<string> {
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  return (await client.create<StoredObject>(REVIEWS, undefined, review)).status.userInfo.username;
}

it("a token that a real API server refuses all of a sudden is replaced by what its file holds, without a failure", { skip }, async () => {
  await using target = await openRealTarget(realKubeconfig ?? "");
  const namespace = await target.makeNamespace();
  const [first, second] = await Promise.all(["first", "second"].map((name) => makeToken(target.client, namespace, name)));
  const directory = await mkdtemp(join(tmpdir(), "rotated-token-"));
  const kubeconfig = parse(await readFile(realKubeconfig ?? "", "utf8"));
  kubeconfig.users = kubeconfig.users.map(({ name }: { name: string }) => ({ name, user: { tokenFile: "token" } }));
  await writeFile(join(directory, "kubeconfig"), JSON.stringify(kubeconfig));
  await writeFile(join(directory, "token"), first ?? "");
  const client = await loadKubeClient({ kubeconfig: join(directory, "kubeconfig") });
  assert.equal(await whoIs(client), `system:serviceaccount:${namespace}:first`);

  await writeFile(join(directory, "token"), second ?? "");
  assert.equal(await whoIs(client), `system:serviceaccount:${namespace}:first`, "what is good is not read again each time");
  await target.client.delete(SECRETS, namespace, "first", BACKGROUND);
  // The API server goes on taking a token for some ten seconds, and tells nobody when it does no more.
  const endMs = performance.now() + 40_000;
  while ((await whoIs(client)) !== `system:serviceaccount:${namespace}:second`) {
    assert.ok(performance.now() < endMs, "the token was refused at last");
    await sleep(200);
  }
  await client.close();
  await rm(directory, { recursive: true });
});
