import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { renderJob } from "../../src/core/job/manifest.ts";
import { parseTestTask } from "../../src/core/test-task/test-task.ts";
import { readBuildFunction } from "../../src/core/zuul/function-name.ts";
import { parseParameters } from "../../src/core/zuul/parameters.ts";
import { type KubeClient, loadKubeClient } from "../../src/kube/client/kube-client.ts";
import { JOBS } from "../../src/kube/client/resource.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { createGitRepository, type ZuulChange } from "../support/git/git-repository.ts";
import { type GitSshServer, startGitSshServer } from "../support/git/git-ssh-server.ts";

/** A private server and a cache as a build's pod has them: the Secret in a volume, ssh in our image, a claim. */
const context = useTestCluster("checkout");
const WAIT_MS = 180_000;
/** Tells all that a test can see of the checkout's. */
const SCRIPT = `echo "at $(git rev-parse HEAD) in $PWD, CI is $CI, WORKSPACE is $WORKSPACE"
git config --list --local
env
find /run/turbo-hipster /tmp "$HOME" -name .git -prune -o -print | sort
cat /proc/mounts
grep -rl 'PRIVATE K''EY' /run/turbo-hipster /tmp "$HOME" 2>/dev/null || echo "no key"`;

let root: string;
let change: ZuulChange;
let ssh: GitSshServer;
let client: KubeClient;

const kubectl = (...args: string[]) => context.kubectl("--namespace", context.namespace, ...args);
describe("a checkout on a real node", () => {
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "turbo-hipster-e2e-checkout-"));
    const repository = await createGitRepository(join(root, "git"), "org/project");
    await repository.commit("master", "Large", { large: randomBytes(5 * 1024 * 1024).toString("base64") });
    change = await repository.change("master", "Change", { "new.txt": "new\n" });
    await mkdir(join(root, "ssh"));
    ssh = await startGitSshServer(join(root, "git"), join(root, "ssh"), context.cluster.hostAddress);
    await mkdir(join(root, "cache"));
    await chmod(join(root, "cache"), 0o777); // as a provisioner leaves it to the pod's group
    client = await loadKubeClient({ kubeconfig: context.cluster.kubeconfig });
  });

  after(async () => {
    await kubectl("delete", "persistentvolume", `${context.namespace}-cache`, "--ignore-not-found", "--wait=false");
    await ssh?.stop();
    await client?.close();
    await rm(root, { recursive: true, force: true });
  });

  async function runBuild(number: string, checkout: object): Promise<{ phase: string; checkout: string; test: string }> {
    const task = parseTestTask({
      ...{ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "unit", namespace: context.namespace } },
      spec: { image: context.image, script: SCRIPT, checkout },
    });
    assert.ok(task.ok, JSON.stringify(task));
    const { project, branch, ref, commit } = change;
    const values = { ZUUL_URL: ssh.url, ZUUL_PROJECT: project, ZUUL_BRANCH: branch, ZUUL_REF: ref, ZUUL_COMMIT: commit };
    const parameters = parseParameters(Buffer.from(JSON.stringify(values)));
    assert.ok(parameters.ok);
    const whose = { server: "s", unique: "u", number, logPath: null, payloadHash: null, handle: null, replica: "r", since: "" };
    const job = renderJob({
      ...{ task: task.task, function: readBuildFunction("build:unit"), parameters: parameters.parameters, request: whose },
      settings: { installation: "e2e", image: context.image, checkout: { allowedUrls: [ssh.url] }, internalUrl: "http://nowhere" },
    });
    await client.create(JOBS, context.namespace, job);
    let phase = "";
    await waitUntil(`the end of ${number}`, WAIT_MS, async () => {
      phase = await kubectl("get", "pods", "-l", `job-name=${number}`, "-o", "jsonpath={.items[*].status.phase}");
      return ["Succeeded", "Failed"].includes(phase);
    });
    const logOf = (container: string) => kubectl("logs", `job/${number}`, "-c", container).catch((error: Error) => error.message);
    return { phase, checkout: await logOf("checkout"), test: await logOf("test") };
  }

  test("opens a private server with a Secret's key, keeps what it fetched, and shows the test nothing of either", async () => {
    await kubectl(
      "create",
      "secret",
      "generic",
      "gerrit",
      `--from-literal=ssh-privatekey=${ssh.key}`,
      `--from-literal=known_hosts=${ssh.knownHosts}`,
    );
    const claim = { accessModes: ["ReadWriteOnce"], storageClassName: "" };
    await context.apply(
      {
        ...{ apiVersion: "v1", kind: "PersistentVolume", metadata: { name: `${context.namespace}-cache` } },
        spec: { ...claim, capacity: { storage: "1Gi" }, hostPath: { path: join(root, "cache") } },
      },
      {
        ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "git-cache", namespace: context.namespace } },
        spec: { ...claim, volumeName: `${context.namespace}-cache`, resources: { requests: { storage: "1Gi" } } },
      },
    );
    const url = ssh.url.slice(0, -join(root, "git").length);
    const checkout = { credentials: [{ url, secretName: "gerrit" }], cache: { claimName: "git-cache" } };
    for (const number of ["first", "second"]) {
      const build = await runBuild(number, checkout);
      assert.equal(build.phase, "Succeeded", build.checkout);
      assert.match(build.test, new RegExp(`^at ${change.commit} in /workspace/org/project, CI is true, WORKSPACE is /workspace$`, "m"));
      assert.match(build.test, /^no key$/m);
      assert.doesNotMatch(build.test, /credentials|git-cache|th-private|turbo-hipster\/private/);
      assert.doesNotMatch(`${build.checkout}${build.test}`, /PRIVATE KEY-/);
      assert.match(build.checkout, number === "first" ? /^keeps \d.*in the cache$/m : /^took \d.*from the cache$/m);
    }
    assert.equal((await readdir(join(root, "cache"))).length, 1);
  });

  test("is not let in without the Secret", async () => {
    const { phase, checkout } = await runBuild("without", {});
    assert.equal(phase, "Failed");
    assert.match(checkout, /the SSH host key of .* is not known - see known_hosts in the Secret of checkout\.credentials/);
  });
});
