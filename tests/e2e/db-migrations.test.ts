import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { loadImage } from "../../deploy/local/local-cluster.ts";
import { DB_MIGRATIONS_EXAMPLE, ensureDbMigrationsImages } from "../support/cluster/db-migrations-images.ts";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { type GitDaemon, startGitDaemon } from "../support/git/git-daemon.ts";
import { createGitRepository, type GitFiles, type ZuulChange } from "../support/git/git-repository.ts";
import { startZuulLauncher, type ZuulCompleted, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const context = useTestCluster("db-migrations");
const PROJECT = "example/inventory";
const JOB = "inventory-db-migrations";

function readExample(path: string): string {
  return readFileSync(join(DB_MIGRATIONS_EXAMPLE, path), "utf8");
}

/** The project of the example, whose newest migration is 0002. */
function projectFiles(): GitFiles {
  const directory = join(DB_MIGRATIONS_EXAMPLE, "project");
  const files = globSync("**/*.{ini,py}", { cwd: directory });
  return Object.fromEntries(files.map((file) => [file, readExample(`project/${file}`)]));
}

/** deploy/examples/db-migrations as it is, on a real node with real databases: what reviewers read. */
describe("the database example", () => {
  let root: string;
  let git: GitDaemon;
  let server: GearmanServer;
  let operator: OperatorProcess;
  let zuul: ZuulLauncher;
  /** By the change's file. All run at once, each on both datasets. */
  const builds = new Map<string, Promise<ZuulCompleted>>();

  function launch(change: ZuulChange, job = JOB): Promise<ZuulCompleted> {
    const params = { ZUUL_REF: change.ref, ZUUL_COMMIT: change.commit };
    return zuul.launch({ job, project: PROJECT, url: git.url, params, attempts: 1 }).completed;
  }

  before(async () => {
    for (const archive of await ensureDbMigrationsImages()) await loadImage(context.cluster.name, archive);
    root = await mkdtemp(join(tmpdir(), "th-db-migrations-"));
    const repository = await createGitRepository(root, PROJECT);
    await repository.commit("master", "two migrations", projectFiles());
    git = await startGitDaemon(root, { host: context.cluster.hostAddress });
    server = await startGearmand();
    const task = parse(readExample("testtask.yaml"));
    const { datasets, ...spec } = task.spec;
    const [known] = datasets;
    const lost = {
      ...known,
      name: "user_003",
      image: undefined,
      persistentVolumeClaim: { claimName: "user-003", readOnly: true },
      size: undefined,
    };
    await context.apply(task, parse(readExample("network-policy.yaml")), {
      ...task,
      metadata: { name: "lost-dataset" },
      spec: { ...spec, jobs: ["lost-dataset"], datasets: [known, lost] },
    });
    operator = await startOperator({
      kubeconfig: context.cluster.kubeconfig,
      config: {
        installation: "db-migrations",
        namespaces: [context.namespace],
        image: context.image,
        gearman: { servers: [server.address] },
        logs: { store: "files", directory: join(root, "logs") },
      },
    });
    zuul = await startZuulLauncher({ server: server.address, settle: true });
    for (const name of ["passes", "too-slow", "reads-too-much", "fails"]) {
      const content = readExample(`changes/${name}.py`);
      const change = await repository.change("master", name, { "migrations/versions/0003_change.py": content });
      builds.set(name, launch(change));
      if (name === "passes") builds.set("a dataset is missing", launch(change, "lost-dataset"));
    }
  });

  after(async () => {
    await zuul?.stop();
    await operator?.stop();
    await server?.stop();
    await git?.stop();
    if (root) await rm(root, { recursive: true, force: true });
  });

  test("builds at once on one dataset find it as it was made, whatever the others do to their copies", async () => {
    const ends = await Promise.all([...builds].map(async ([name, build]) => ({ name, number: (await build).number })));
    for (const { name, number } of ends.filter(({ name }) => !name.includes("missing"))) {
      for (const member of [0, 1]) {
        const log = await context.kubectl("--namespace", context.namespace, "logs", `job/${number}-${member}`, "--container", "test");
        assert.match(log, /^counter rows_changed 0\n(?:.*\n)*.*Running upgrade 0001 -> 0002/m, `${name} ${member}`);
      }
    }
  });

  const results: [string, string | RegExp][] = [
    ["passes", "SUCCESS"],
    ["too-slow", "WARNING - Migration 0002->0003 took too long (user_002, 1 of 2 datasets failed)"],
    ["reads-too-much", /^WARNING - Migration 0002->0003 read too many rows \(10\d{5}\) \(user_002, 1 of 2 datasets failed\)$/],
    ["fails", /^FAILURE - Migration 0002->0003 failed - Duplicate entry .* \(user_002, 1 of 2 datasets failed\)$/],
    ["a dataset is missing", "CONFIG_ERROR - persistentvolumeclaim user-003 not found (user_003, 1 of 2 datasets failed)"],
  ];
  for (const [name, expected] of results) {
    test(`${name}: ${expected}`, async () => {
      const completed = await (builds.get(name) ?? assert.fail());
      if (typeof expected === "string") assert.equal(completed.result, expected);
      else assert.match(completed.result, expected);
    });
  }
});
