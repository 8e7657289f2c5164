import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { clusterPaths } from "../../deploy/local/cluster-paths.ts";
import { downCluster, type LocalCluster, upCluster } from "../../deploy/local/local-cluster.ts";
import { VERSION } from "../../src/version.ts";
import { ensureImage } from "../../tools/image.ts";
import { ensureDebianPackages } from "../../tools/machine/debian-packages.ts";
import { runCommand } from "../../tools/machine/run-command.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { adminStatus, type GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { type GitDaemon, startGitDaemon } from "../support/git/git-daemon.ts";
import { createGitRepository, type ZuulChange } from "../support/git/git-repository.ts";
import { tellProgress } from "../support/progress.ts";
import { REGISTRY_USER, type Registry, startRegistry } from "../support/registry/registry.ts";
import { startZuulLauncher, type ZuulBuild, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const CHART = join(import.meta.dirname, "../../charts/turbo-hipster");
const CLUSTER = `registry-${process.pid}`;
const RELEASE = "th";
const OPERATOR = "deployment/th-turbo-hipster";
const NAMESPACE = "ci";
const SECRET = "registry";
const LIMIT_MS = 90_000;

/** A cluster whose node has no image of ours, and gets all that it runs of them from a registry: containerd fetches no layer that it has. */
describe("what is published, pulled from a registry that asks for a password,", () => {
  let root: string;
  let cluster: LocalCluster;
  let registry: Registry;
  let gearmand: GearmanServer;
  let git: GitDaemon;
  let change: ZuulChange;
  let zuul: ZuulLauncher;
  let digest: string;
  /** `HOST:PORT/PATH`, without a tag. */
  let repository: string;

  const kubectl = (...args: string[]) =>
    runCommand(cluster.kubectl, ["--kubeconfig", cluster.kubeconfig, "--namespace", NAMESPACE, ...args]);
  /** With a home of its own: nothing of the user's, whose logins are none of ours. */
  const helm = (...args: string[]) => {
    const env = { HELM_CONFIG_HOME: join(root, "helm"), HELM_CACHE_HOME: join(root, "helm"), HELM_DATA_HOME: join(root, "helm") };
    return runCommand(cluster.helm, args, { env });
  };
  const authority = () => ["--ca-file", join(registry.authority, "ca.crt")];
  /** Whether the node has got that: the path of a manifest or of a blob begins so. */
  const isPulled = (path: string) =>
    registry.requests().some((line) => line.includes(` /v2/ci/turbo-hipster/${path}`) && / 200 .*"containerd\//.test(line));

  before(async () => {
    await ensureDebianPackages(["skopeo"], tellProgress);
    root = await mkdtemp(join(tmpdir(), "th-e2e-registry-"));
    const { archive } = await ensureImage({ log: tellProgress });
    cluster = await upCluster({ name: CLUSTER, log: tellProgress });
    const host = cluster.hostAddress;
    registry = await startRegistry(host);
    repository = `${registry.address}/ci/turbo-hipster`;
    await tellNode();
    await pushImage(archive);
    await kubectl("create", "namespace", NAMESPACE);
    const login = [`--docker-username=${REGISTRY_USER.username}`, `--docker-password=${REGISTRY_USER.password}`];
    await kubectl("create", "secret", "docker-registry", SECRET, `--docker-server=${registry.address}`, ...login);
    gearmand = await startGearmand({ listen: host });
    const projects = await createGitRepository(join(root, "git"), "org/project");
    await projects.commit("master", "First", { "old.txt": "old\n" });
    change = await projects.change("master", "Change", { "new.txt": "as merged\n" });
    git = await startGitDaemon(join(root, "git"), { host });
  });
  after(async () => {
    await zuul?.stop();
    await git?.stop();
    await gearmand?.stop();
    await registry?.[Symbol.asyncDispose]();
    if (root) await rm(root, { recursive: true, force: true });
    await downCluster({ name: CLUSTER, log: tellProgress });
  });

  /** The authority of the registry's certificate, as whoever runs nodes would (https://github.com/containerd/containerd/blob/main/docs/hosts.md). */
  async function tellNode(): Promise<void> {
    const directory = join(clusterPaths(CLUSTER).registries, registry.address);
    await mkdir(directory, { recursive: true });
    const server = `https://${registry.address}`;
    const hosts = `server = "${server}"\n[host."${server}"]\n  ca = "${join(registry.authority, "ca.crt")}"\n`;
    await writeFile(join(directory, "hosts.toml"), hosts);
  }

  /** As the README has it, with a login. */
  async function pushImage(archive: string): Promise<void> {
    const access = ["--dest-creds", `${REGISTRY_USER.username}:${REGISTRY_USER.password}`, "--dest-cert-dir", registry.authority];
    const to = `docker://${repository}:${VERSION}`;
    await runCommand("skopeo", ["copy", "--quiet", "--digestfile", join(root, "digest"), ...access, `oci-archive:${archive}`, to]);
    digest = (await readFile(join(root, "digest"), "utf8")).trim();
    assert.match(digest, /^sha256:[0-9a-f]{64}$/);
  }

  function launch(): ZuulBuild {
    const params = { ZUUL_REF: change.ref, ZUUL_COMMIT: change.commit };
    return zuul.launch({ job: "reads", url: git.url, project: change.project, params });
  }

  interface Status {
    image: string;
    imageID: string;
    state: { waiting?: { reason: string; message?: string } };
  }

  /** Of all containers of the pods with that label. */
  async function containers(selector: string): Promise<Status[]> {
    const { items } = JSON.parse(await kubectl("get", "pods", "--selector", selector, "--output", "json"));
    return items.flatMap(({ status }: { status: Record<string, Status[] | undefined> }) => [
      ...(status.initContainerStatuses ?? []),
      ...(status.containerStatuses ?? []),
    ]);
  }

  test("the chart is pushed as CONTRIBUTING tells, and installed from there with the image's digest; the operator is ready", async () => {
    await helm("package", CHART, "--destination", root);
    const login = ["--username", REGISTRY_USER.username, "--password", REGISTRY_USER.password];
    await helm("registry", "login", registry.address, ...login, ...authority());
    await helm("push", join(root, `turbo-hipster-${VERSION}.tgz`), `oci://${registry.address}/charts`, ...authority());
    const values = [
      ...[`config.gearman.servers={${gearmand.address}}`, "config.logs.store=none", "replicas=1"],
      ...[`image.repository=${repository}`, `image.digest=${digest}`, "image.pullPolicy=Always", `imagePullSecrets[0].name=${SECRET}`],
    ];
    await helm(
      ...["install", RELEASE, `oci://${registry.address}/charts/turbo-hipster`, "--version", VERSION, ...authority()],
      ...["--namespace", NAMESPACE, "--kubeconfig", cluster.kubeconfig, ...values.flatMap((value) => ["--set", value])],
    );
    await kubectl("rollout", "status", OPERATOR, "--timeout=2m");
    const [operator] = await containers(`app.kubernetes.io/instance=${RELEASE}`);
    assert.equal(operator?.imageID, `${repository}@${digest}`);
    for (const path of [`manifests/${digest}`, "blobs/sha256:"]) assert.ok(isPulled(path), registry.requests().join("\n"));
    assert.ok(!isPulled(`manifests/${VERSION}`));
  });

  test("a build's pod, whose namespace has no Secret for it, gets no image", async () => {
    const spec = { image: `${repository}:${VERSION}`, checkout: {}, script: "cat new.txt" };
    const task = { apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "reads" }, spec };
    await writeFile(join(root, "task.json"), JSON.stringify(task));
    await kubectl("apply", "--filename", join(root, "task.json"));
    const workers = async () => (await adminStatus(gearmand.address)).get("build:reads")?.workers ?? 0;
    await waitUntil("its job", LIMIT_MS, async () => (await workers()) > 0);
    zuul = await startZuulLauncher({ server: gearmand.address });
    const build = launch();
    const { number } = await build.started;
    await waitUntil("the kubelet's word of it", LIMIT_MS, async () => {
      const reasons = (await containers(`job-name=${number}`)).map(({ state }) => state.waiting?.reason ?? "");
      return reasons.some((reason) => /^(ErrImagePull|ImagePullBackOff)$/.test(reason));
    });
    await build.cancel();
  });

  test("with the Secret on its ServiceAccount a build checks out and runs, its images pulled", async () => {
    await kubectl("patch", "serviceaccount", "default", "--patch", JSON.stringify({ imagePullSecrets: [{ name: SECRET }] }));
    const build = launch();
    const { number } = await build.started;
    assert.equal((await build.completed).result, "SUCCESS");
    assert.match(await kubectl("logs", `job/${number}`, "--container", "test"), /^as merged$/m);
    const images = (await containers(`job-name=${number}`)).map(({ imageID }) => imageID);
    assert.ok(images.length >= 2 && images.every((image) => image === `${repository}@${digest}`), images.join());
    assert.ok(isPulled(`manifests/${VERSION}`), registry.requests().join("\n"));
  });
});
