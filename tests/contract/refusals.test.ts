import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse } from "yaml";
import { isQuotaFull } from "../../src/core/kubernetes/quota.ts";
import { type KubeClient, loadKubeClient } from "../../src/kube/client/kube-client.ts";
import { KubeError } from "../../src/kube/client/kube-error.ts";
import { isObjectRefused } from "../../src/kube/client/refusal.ts";
import { CONFIG_MAPS, JOBS, type Resource } from "../../src/kube/client/resource.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { MADE_BY_TESTS } from "../support/cluster/made-by-tests.ts";
import { type ContractTarget, findRealKubeconfig, makeToken, NO_REAL_SERVER, openRealTarget } from "./contract-target.ts";

const QUOTAS: Resource = { group: "", version: "v1", plural: "resourcequotas" };
const NAMESPACES: Resource = { group: "", version: "v1", plural: "namespaces" };
const POLICIES: Resource = { group: "admissionregistration.k8s.io", version: "v1", plural: "validatingadmissionpolicies" };
const BINDINGS: Resource = { group: "admissionregistration.k8s.io", version: "v1", plural: "validatingadmissionpolicybindings" };
const BACKGROUND = { propagationPolicy: "Background" } as const;

const realKubeconfig = await findRealKubeconfig();
const skip = realKubeconfig === undefined ? NO_REAL_SERVER : false;

/** Suspended, so that no controller touches it. */
function job(name: string, changes: object = {}) {
  const spec = { restartPolicy: "Never", containers: [{ name: "test", image: "example.invalid/none", command: ["true"] }] };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name },
    spec: { suspend: true, backoffLimit: 0, template: { spec }, ...changes },
  };
}

/** What a refused create counts as. */
type Counts = "the object is wrong" | "not the object's fault" | "as one that is away";

function countsAs(error: KubeError): Counts {
  if (error.retryable) return "as one that is away";
  return isObjectRefused(error) ? "the object is wrong" : "not the object's fault";
}

describe("what a real API server says of a Job that it does not take", { skip }, () => {
  let target: ContractTarget;
  let client: KubeClient;

  before(async () => {
    target = await openRealTarget(realKubeconfig ?? "");
    client = target.client;
  });
  after(() => target?.[Symbol.asyncDispose]());

  async function refusalOf(creation: Promise<unknown>): Promise<KubeError> {
    const error = await creation.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof KubeError, `it was refused: ${error}`);
    return error;
  }

  /** Creates again until it is refused in these words: what admission goes by comes a moment later. */
  async function refusalLike(words: RegExp, namespace: string, body: (name: string) => object, by = client): Promise<KubeError> {
    let refusal: KubeError | undefined;
    let count = 0;
    await waitUntil(`a refusal like ${words}`, 30_000, async () => {
      const error = await by.create(JOBS, namespace, body(`job-${count++}`), { dryRun: true }).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error instanceof KubeError && words.test(error.message)) refusal = error;
      return refusal !== undefined;
    });
    return refusal ?? assert.fail();
  }

  const assertCounts = (error: KubeError, counts: Counts) => assert.equal(countsAs(error), counts, `${error.code}: ${error.message}`);

  it("is wrong when it is invalid, or can't be read", async () => {
    const namespace = await target.makeNamespace();
    assertCounts(await refusalOf(client.create(JOBS, namespace, job("a", { backoffLimit: -1 }))), "the object is wrong");
    assertCounts(await refusalOf(client.create(JOBS, namespace, job("a", { backoffLimit: "many" }))), "the object is wrong");
  });

  it("is wrong when it is too large", async () => {
    const namespace = await target.makeNamespace();
    const large = job("a");
    const annotations = { large: "x".repeat(4 * 2 ** 20) };
    const error = await refusalOf(client.create(JOBS, namespace, { ...large, metadata: { ...large.metadata, annotations } }));
    assertCounts(error, "the object is wrong");
    assert.equal(error.status, 413);
  });

  it("is wrong when there is no such namespace", async () => {
    assertCounts(await refusalOf(client.create(JOBS, "no-such-namespace", job("a"))), "the object is wrong");
  });

  it("is not at fault while its namespace goes away", async () => {
    const namespace = await target.makeNamespace();
    await client.create(CONFIG_MAPS, namespace, { metadata: { name: "holds", finalizers: ["turbo-hipster.io/contract"] } });
    await client.delete(NAMESPACES, undefined, namespace, BACKGROUND);
    assertCounts(await refusalLike(/being terminated/, namespace, job), "not the object's fault");
    await client.mergePatch(CONFIG_MAPS, namespace, "holds", { metadata: { finalizers: null } });
  });

  it("waits for a full quota and for one that allows none, and is not at fault while nobody has counted it", async () => {
    const namespace = await target.makeNamespace();
    await client.create(QUOTAS, namespace, { metadata: { name: "one" }, spec: { hard: { "count/jobs.batch": "1" } } });
    // Right after it was made it is not counted, perhaps: told apart from then on.
    const first = await client.create(JOBS, namespace, job("first")).catch((error: KubeError) => error);
    if (first instanceof KubeError) {
      assert.match(first.message, /status unknown for quota/);
      assertCounts(first, "not the object's fault");
    }
    let full: unknown;
    let count = 0;
    await waitUntil("the quota to be full", 30_000, async () => {
      const said = await client.create(JOBS, namespace, job(`more-${count++}`)).catch((error: KubeError) => error);
      if (said instanceof KubeError && /exceeded quota/.test(said.message)) full = said;
      return full !== undefined;
    });
    assert.ok(full instanceof KubeError && isObjectRefused(full) && isQuotaFull(full.statusMessage), String(full));
    const none = await target.makeNamespace();
    await client.create(QUOTAS, none, { metadata: { name: "none" }, spec: { hard: { "count/jobs.batch": "0" } } });
    const error = await refusalLike(/exceeded quota/, none, job);
    assert.ok(isObjectRefused(error) && isQuotaFull(error.statusMessage), String(error));
  });

  it("is wrong when a policy denies it, with whatever reason, and not while the policy's parameters are missing", async () => {
    const namespace = await target.makeNamespace();
    const cases = [
      { name: "denies", reason: "Forbidden", params: false, words: /denied request: no/, counts: "the object is wrong" },
      { name: "lacks", reason: "Invalid", params: true, words: /denied request: failed to configure/, counts: "not the object's fault" },
    ] as const;
    for (const { name, reason, params, words, counts } of cases) {
      const full = `${namespace}-${name}`;
      const rule = { apiGroups: ["batch"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["jobs"] };
      await client.create(POLICIES, undefined, {
        metadata: { name: full, labels: MADE_BY_TESTS },
        spec: {
          failurePolicy: "Fail",
          ...(params ? { paramKind: { apiVersion: "v1", kind: "ConfigMap" } } : {}),
          matchConstraints: {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
            resourceRules: [rule],
          },
          validations: [{ expression: "false", message: "no", reason }],
        },
      });
      await client.create(BINDINGS, undefined, {
        metadata: { name: full, labels: MADE_BY_TESTS },
        spec: {
          policyName: full,
          validationActions: ["Deny"],
          ...(params ? { paramRef: { name: "none", namespace, parameterNotFoundAction: "Deny" } } : {}),
        },
      });
      try {
        assertCounts(await refusalLike(words, namespace, job), counts);
      } finally {
        await client.delete(BINDINGS, undefined, full, BACKGROUND);
        await client.delete(POLICIES, undefined, full, BACKGROUND);
      }
    }
  });

  it("is not at fault for a missing right, nor for a login that nobody knows", async () => {
    const namespace = await target.makeNamespace();
    const directory = await mkdtemp(join(tmpdir(), "refusals-"));
    const load = async (user: object) => {
      const kubeconfig = parse(await readFile(realKubeconfig ?? "", "utf8"));
      kubeconfig.users = kubeconfig.users.map(({ name }: { name: string }) => ({ name, user }));
      const path = join(directory, "kubeconfig");
      await writeFile(path, JSON.stringify(kubeconfig));
      return loadKubeClient({ kubeconfig: path });
    };
    const token = await makeToken(client, namespace, "nobody");
    const clients: KubeClient[] = [];
    try {
      for (const [user, counts] of [
        [{ token }, "not the object's fault"],
        [{ token: "nonsense" }, "as one that is away"],
      ] as const) {
        const stranger = await load(user);
        clients.push(stranger);
        assertCounts(await refusalOf(stranger.create(JOBS, namespace, job("a"))), counts);
      }
    } finally {
      for (const each of clients) await each.close();
      await rm(directory, { recursive: true });
    }
  });
});
