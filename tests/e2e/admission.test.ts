import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { MADE_BY_TESTS } from "../support/cluster/made-by-tests.ts";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { type GitDaemon, startGitDaemon } from "../support/git/git-daemon.ts";
import { createGitRepository, type ZuulChange } from "../support/git/git-repository.ts";
import { startZuulLauncher, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const context = useTestCluster("admission");
/** Of namespaces that have users and groups of their own, and the first of them. */
const RANGES_LABEL = "example.org/ranges";
const FIRST_ID = 1_000_680_000;
const ADMISSION = "admissionregistration.k8s.io/v1";

let root: string;
let git: GitDaemon;
let change: ZuulChange;
let server: GearmanServer;
const operators: OperatorProcess[] = [];
let zuul: ZuulLauncher;
/** Each for one test: with a quota that wants limits, with ranges, and with ranges for an installation that leaves users to the cluster. */
const namespaces = { quota: "", ranges: "", left: "" };

function policies(): object[] {
  const name = `${context.namespace}-ranges`;
  const metadata = { name, labels: MADE_BY_TESTS };
  const matchConstraints = {
    namespaceSelector: { matchLabels: { [RANGES_LABEL]: context.namespace } },
    resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
  };
  const own = "Object.spec.securityContext";
  return [
    // What OpenShift's restricted-v2 does to a pod that names no user, and what it says of one that names another.
    {
      ...{ apiVersion: ADMISSION, kind: "MutatingAdmissionPolicy", metadata },
      spec: {
        ...{ failurePolicy: "Fail", reinvocationPolicy: "Never", matchConstraints },
        matchConditions: [{ name: "no-user", expression: "!has(object.spec.securityContext.runAsUser)" }],
        mutations: [
          {
            patchType: "ApplyConfiguration",
            applyConfiguration: {
              expression: `Object{spec: Object.spec{securityContext: ${own}{runAsUser: ${FIRST_ID}, fsGroup: ${FIRST_ID}}}}`,
            },
          },
        ],
      },
    },
    { apiVersion: ADMISSION, kind: "MutatingAdmissionPolicyBinding", metadata, spec: { policyName: name } },
    {
      ...{ apiVersion: ADMISSION, kind: "ValidatingAdmissionPolicy", metadata },
      spec: {
        ...{ failurePolicy: "Fail", matchConstraints },
        validations: [
          {
            expression: `object.spec.securityContext.runAsUser >= ${FIRST_ID} && object.spec.securityContext.fsGroup >= ${FIRST_ID}`,
            message: `runAsUser and fsGroup must be ${FIRST_ID} or more`,
          },
        ],
      },
    },
    {
      ...{ apiVersion: ADMISSION, kind: "ValidatingAdmissionPolicyBinding", metadata },
      spec: { policyName: name, validationActions: ["Deny"] },
    },
  ];
}

const task = (name: string, spec: object) => ({
  ...{ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name } },
  spec: { image: context.image, ...spec },
});

/** A pod that the policies are to refuse, tried until they do: they are in force some time after they were applied. */
async function inForce(): Promise<void> {
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "probe" } };
  const spec = { schedulingGates: [{ name: "example.org/never" }], containers: [{ name: "a", image: context.image }] };
  const tried = (securityContext: object) =>
    context.applyTo(namespaces.ranges, { ...pod, spec: { ...spec, securityContext } }).then(
      () => context.kubectl("get", "pod", "probe", "--namespace", namespaces.ranges, "-o", "jsonpath={.spec.securityContext.runAsUser}"),
      (error: Error) => error.message,
    );
  await waitUntil("the policies to be in force", 60_000, async () => {
    const refused = /must be 1000680000/.test(await tried({ runAsUser: 1000, fsGroup: 1000 }));
    const given = (await tried({ runAsNonRoot: true })) === String(FIRST_ID);
    await context.kubectl("delete", "pod", "probe", "--namespace", namespaces.ranges, "--ignore-not-found", "--force", "--grace-period=0");
    return refused && given;
  });
}

async function startOperators(): Promise<void> {
  const start = async (installation: string, served: string[], config: object = {}) => {
    const common = { image: context.image, gearman: { servers: [server.address] } };
    const operator = await startOperator({
      kubeconfig: context.cluster.kubeconfig,
      config: { installation, namespaces: served, ...common, ...config },
    });
    operators.push(operator);
  };
  await Promise.all([
    start("admission", [namespaces.quota, namespaces.ranges]),
    start("admission-left", [namespaces.left], { podUser: "cluster" }),
  ]);
}

async function setUp(): Promise<void> {
  for (const key of ["quota", "ranges", "left"] as const) {
    namespaces[key] = `${context.namespace}-${key}`;
    await context.makeNamespace(namespaces[key]);
  }
  for (const name of [namespaces.ranges, namespaces.left]) {
    await context.kubectl("label", "namespace", name, `${RANGES_LABEL}=${context.namespace}`);
  }
  await context.apply(...policies());
  const hard = { "requests.cpu": "2", "requests.memory": "2Gi", "limits.cpu": "2", "limits.memory": "2Gi" };
  await context.applyTo(namespaces.quota, { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "team" }, spec: { hard } });
  const resources = { requests: { cpu: "100m", memory: "64Mi" }, limits: { cpu: "1", memory: "256Mi" } };
  await context.applyTo(
    namespaces.quota,
    task("limited", { checkout: {}, script: "grep 'in the change' README", resources }),
    task("unlimited", { checkout: {}, script: "exit 0" }),
  );
  await context.applyTo(namespaces.ranges, task("fixed", { script: "exit 0" }));
  await context.applyTo(namespaces.left, task("left", { script: `touch here && test "$(id -u)" = ${FIRST_ID}` }));
  root = await mkdtemp(join(tmpdir(), "th-admission-"));
  const repository = await createGitRepository(root, "org/project");
  await repository.commit("master", "first", { README: "before\n" });
  change = await repository.change("master", "say more", { README: "in the change\n" });
  git = await startGitDaemon(root, { host: context.cluster.hostAddress });
  server = await startGearmand();
  await Promise.all([inForce(), startOperators()]);
  zuul = await startZuulLauncher({ server: server.address, settle: true });
}

async function tearDown(): Promise<void> {
  await zuul?.stop();
  for (const operator of operators) await operator.stop();
  await server?.stop();
  await git?.stop();
  for (const kind of ["validatingadmissionpolicy", "mutatingadmissionpolicy"]) {
    await context.kubectl("delete", `${kind}binding,${kind}`, `${context.namespace}-ranges`, "--ignore-not-found");
  }
  for (const name of Object.values(namespaces)) if (name) await context.kubectl("delete", "namespace", name, "--wait=false");
  if (root) await rm(root, { recursive: true, force: true });
}

/** What the TestTask says of its pods. */
function templateValid(namespace: string, name: string): Promise<string> {
  return context.kubectl(
    "get",
    "testtask",
    name,
    "-n",
    namespace,
    "-o",
    "jsonpath={.status.conditions[?(@.type=='TemplateValid')].message}",
  );
}

/** Of a build of the project's change. */
async function resultOf(job: string): Promise<string> {
  const params = { ZUUL_REF: change.ref, ZUUL_COMMIT: change.commit };
  const { result } = await zuul.launch({ job, attempts: 1, project: "org/project", url: git.url, params }).completed;
  return result;
}

describe("a namespace that admits not every pod", { concurrency: true }, () => {
  before(setUp);
  after(tearDown);

  test("with a quota on limits runs a build with a checkout to its end, where its task gives limits", async () => {
    assert.equal(await resultOf("limited"), "SUCCESS");
  });

  test("with a quota on limits refuses a build whose task gives none, and both say what is missing", async () => {
    assert.match(await resultOf("unlimited"), /^CONFIG_ERROR - .*must specify limits\.cpu.*checkout/);
    assert.match(await templateValid(namespaces.quota, "unlimited"), /must specify limits\.cpu .* - give the task `resources`/);
  });

  test("with users of its own runs a build whose user is left to the cluster", async () => {
    assert.equal(await resultOf("left"), "SUCCESS");
  });

  test("with users of its own refuses a build that names another, in the policy's words, and its task names the remedy", async () => {
    assert.equal(
      await resultOf("fixed"),
      `CONFIG_ERROR - policy ${context.namespace}-ranges - runAsUser and fsGroup must be ${FIRST_ID} or more`,
    );
    assert.match(await templateValid(namespaces.ranges, "fixed"), /must be 1000680000 or more - `podUser: cluster`/);
  });
});
