import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { loadImage } from "../../deploy/local/local-cluster.ts";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { ensurePythonImage } from "../support/cluster/python-image.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { type GitDaemon, startGitDaemon } from "../support/git/git-daemon.ts";
import { createGitRepository, type ZuulChange } from "../support/git/git-repository.ts";
import { startZuulLauncher, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const context = useTestCluster("pip");

/** A project as OpenStack's are: pbr takes the version from git's tags and the files from git's index. */
const PROJECT = {
  "pyproject.toml": '[build-system]\nrequires = ["pbr", "setuptools", "wheel"]\nbuild-backend = "pbr.build"\n',
  "setup.py": 'import setuptools\nsetuptools.setup(setup_requires=["pbr"], pbr=True)\n',
  "setup.cfg":
    "[metadata]\nname = greeter\nauthor = Jo\n[files]\npackages = greeter\n[entry_points]\nconsole_scripts =\n    greet = greeter:main\n",
  "greeter/__init__.py": 'def main():\n    print("hello from pip")\n',
};

/** As a person writes it for python:3, with nothing about users, paths or permissions. */
const SCRIPT = `
pip install .
greet | grep 'hello from pip'
pip list --format=freeze | tee /dev/stderr | grep '^greeter==1.2.3'
cd /
python3 -c 'import greeter; greeter.main()'
python3 -c 'import getpass, os, tempfile; print(getpass.getuser(), os.path.expanduser("~"), tempfile.gettempdir())'
python3 -m venv --without-pip "$HOME/venv"
`;

describe("an image like python:3, which normally runs as root, under the default security context", () => {
  let root: string;
  let git: GitDaemon;
  let change: ZuulChange;
  let server: GearmanServer;
  let operator: OperatorProcess;
  let zuul: ZuulLauncher;

  before(async () => {
    const { archive, tag } = await ensurePythonImage();
    await loadImage(context.cluster.name, archive);
    root = await mkdtemp(join(tmpdir(), "th-pip-"));
    const repository = await createGitRepository(root, "org/greeter");
    const first = await repository.commit("master", "first", PROJECT);
    await repository.tag("1.2.2", first, "1.2.2");
    change = await repository.change("master", "say more", { "greeter/more.py": "" });
    await repository.tag("1.2.3", change.commit, "1.2.3");
    git = await startGitDaemon(root, { host: context.cluster.hostAddress });
    server = await startGearmand();
    // The strictest of the Pod Security Standards: nothing here is allowed to need more.
    await context.kubectl("label", "namespace", context.namespace, "pod-security.kubernetes.io/enforce=restricted");
    await context.apply({
      apiVersion: "turbo-hipster.io/v1alpha1",
      kind: "TestTask",
      metadata: { name: "pip" },
      spec: { image: tag, checkout: {}, script: SCRIPT },
    });
    operator = await startOperator({
      kubeconfig: context.cluster.kubeconfig,
      config: { installation: "pip", namespaces: [context.namespace], image: context.image, gearman: { servers: [server.address] } },
    });
    zuul = await startZuulLauncher({ server: server.address, settle: true });
  });

  after(async () => {
    await zuul?.stop();
    await operator?.stop();
    await server?.stop();
    await git?.stop();
    if (root) await rm(root, { recursive: true, force: true });
  });

  test("runs pip install of the checked-out project, with git in the build, and finds what it installed", async () => {
    const build = zuul.launch({
      job: "pip",
      project: "org/greeter",
      url: git.url,
      params: { ZUUL_REF: change.ref, ZUUL_COMMIT: change.commit },
    });
    const { number } = await build.started;
    const completed = await build.completed;
    const log = await context.kubectl("logs", "--namespace", context.namespace, `job/${number}`, "--container", "test");
    assert.equal(completed.result, "SUCCESS", log);
    assert.match(log, /^test \/workspace \/tmp$/m);
  });
});
