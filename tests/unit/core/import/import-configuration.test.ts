import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { importConfiguration } from "../../../../src/core/import/import-configuration.ts";
import { type OriginalDataset, parseDataset } from "../../../../src/core/import/original-dataset.ts";
import { parseTestTask } from "../../../../src/core/test-task/test-task.ts";

const IMAGE = "nova:1";

function dataset(name: string, fields: object = {}): OriginalDataset {
  const parsed = parseDataset(name, { project: "openstack/nova", type: "mysql", seed_data: "nova.sql", ...fields });
  assert.ok(parsed);
  return parsed;
}

function importOf(settings: Record<string, unknown>, datasets: readonly OriginalDataset[] | string = "no such directory") {
  return importConfiguration({ settings, image: IMAGE, datasetsIn: () => datasets });
}

/** The checks of a job with these datasets, by name. */
function checksOf(...datasets: OriginalDataset[]) {
  const { tasks } = importOf({ jobs: [{ name: "build:db", plugin: "real_db_upgrade", datasets_dir: "/d" }] }, datasets);
  return new Map(tasks[0]?.object.spec.checks?.map((check) => [check.name, check]));
}

describe("the jobs of an original configuration", () => {
  test("a job without a plugin is a shell_script, and has what the original put behind it", () => {
    const { tasks, left } = importOf({ jobs: [{ name: "build:lint", shell_script: "cd src && make lint\n" }] });
    assert.deepEqual(left, []);
    const { metadata, spec } = tasks[0]?.object ?? assert.fail();
    assert.equal(metadata.name, "lint");
    assert.deepEqual(spec.jobs, ["lint"]);
    assert.equal(spec.script, '#!/bin/sh\ncd src && make lint "$PWD" "$(mktemp -d)" "$ZUUL_UUID"\n');
    assert.equal(spec.image, IMAGE);
  });

  test("plugins come first, and of two with one function the later counts", () => {
    const { tasks, left } = importOf({
      jobs: [{ name: "build:a", shell_script: "make new" }],
      plugins: [
        { name: "shell_script", function: "build:a", shell_script: "make old" },
        { name: "shell_script", function: "build:b", shell_script: "make b" },
      ],
    });
    assert.deepEqual(
      tasks.map(({ object }) => object.spec.script?.split(" ")[1]),
      ["new", "b"],
    );
    assert.deepEqual(left, [{ place: "plugins[0]", message: "build:a is said again by jobs[0], which the original took" }]);
  });

  const WITHOUT_COUNTERPART: [string, Record<string, unknown>, RegExp][] = [
    ["jjb_runner", { plugin: "jjb_runner", jjb_config: "config" }, /Jenkins Job Builder.*put what they do into a script/],
    ["a plugin of somebody's own", { plugin: "ours" }, /plugin ours is none of the original's.*docs\/testtask\.md/],
    ["an empty shell_script", { shell_script: " " }, /has no shell_script/],
    ["a shell_script that is no text", { shell_script: 7 }, /has no shell_script/],
    ["real_db_upgrade without a directory", { plugin: "real_db_upgrade" }, /without datasets_dir/],
    ["a directory that is not there", { plugin: "real_db_upgrade", datasets_dir: "/d" }, /^\/d: no such directory$/],
    ["a function that is none of Zuul's", { name: "stop:a", shell_script: "make" }, /no function of Zuul's \(build:JOB\)/],
    ["a node label", { name: "build:a:bionic", shell_script: "make" }, /jobs: \[a\] and nodeLabels: \[{name: bionic}\]/],
    [
      "a name that Zuul could not have",
      { name: "build:a b", shell_script: "make" },
      /spec\.jobs\[0\] must be the name of one of Zuul's jobs/,
    ],
    ["a script that is too long", { shell_script: "x".repeat(70_000) }, /script must be at most/],
    ["no name", { name: "", shell_script: "make" }, /no name or no plugin's name/],
  ];
  for (const [what, fields, message] of WITHOUT_COUNTERPART) {
    test(`${what} has no counterpart, and the way out is told`, () => {
      const { tasks, left } = importOf({ jobs: [{ name: "build:a", ...fields }] });
      assert.equal(tasks.length, 0);
      assert.match(left[0]?.place ?? "", /^jobs\[0\]/);
      assert.match(left[0]?.message ?? "", message);
    });
  }

  test("names of tasks are Kubernetes', and no two alike", () => {
    const names = ["build:Gate_Nova", "build:gate-nova", `build:${"a_".repeat(40)}`, `build:${"a-".repeat(40)}`, "build:___"];
    const { tasks } = importOf({ jobs: names.map((name) => ({ name, shell_script: "make" })) });
    assert.deepEqual(
      tasks.map(({ object }) => object.metadata.name),
      ["gate-nova", "gate-nova-2", `${"a-".repeat(19)}a`, `${"a-".repeat(18)}a-2`, "job"],
    );
  });

  test("Zuul's git_origin is where projects come from; the Gearman server is the operator's affair", () => {
    const { tasks, moved } = importOf({
      zuul_server: { git_origin: "https://git.example.com/", gearman_host: "zuul", gearman_port: 4731 },
      jobs: [{ name: "build:a", shell_script: "make" }],
      unheard_of: true,
    });
    assert.deepEqual(tasks[0]?.object.spec.checkout, { gitUrl: "https://git.example.com" });
    assert.deepEqual(moved, [
      { place: "zuul_server.gearman_host", message: 'belongs to the operator: gearman.servers: ["zuul:4731"] in its configuration' },
      { place: "unheard_of", message: "the original knows no such setting" },
    ]);
  });

  test("whatever a configuration holds, what is made of it is valid", () => {
    const entry = fc.record(
      {
        name: fc.oneof(fc.constantFrom("build:a", "build:Ä", "build:a:b", "shell_script", "real_db_upgrade"), fc.string(), fc.anything()),
        function: fc.oneof(
          fc.string().map((name) => `build:${name}`),
          fc.anything(),
        ),
        plugin: fc.oneof(fc.constantFrom("shell_script", "real_db_upgrade"), fc.anything()),
        shell_script: fc.oneof(fc.string({ unit: "binary" }), fc.anything()),
        datasets_dir: fc.oneof(fc.constant("/d"), fc.anything()),
      },
      { requiredKeys: [] },
    );
    const limits = fc.dictionary(
      fc.oneof(fc.constantFrom("default", "1->2", "2->1", "_2_bugs"), fc.string()),
      fc.oneof(fc.double(), fc.nat(), fc.array(fc.anything(), { maxLength: 2 })),
    );
    const datasets = fc.array(
      fc.tuple(
        fc.string({ minLength: 1 }),
        fc.record({ project: fc.constantFrom("openstack/nova", "a"), maximum_migration_times: limits, Innodb_rows_read: limits }),
      ),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.array(entry), fc.array(entry), datasets, (zuul, other, jobs, plugins, found) => {
        const { tasks } = importOf(
          { zuul_server: zuul, jobs, plugins, publish_logs: other },
          found.map(([name, fields]) => dataset(name, fields)),
        );
        for (const { object } of tasks) assert.equal(parseTestTask(object, { strictMetadata: true }).ok, true);
      }),
    );
  });
});

describe("the datasets of real_db_upgrade", () => {
  test("each has the files of its directory on a claim that is only read, for builds of its project", () => {
    const { tasks } = importOf({ plugins: [{ name: "real_db_upgrade", function: "build:db", datasets_dir: "/d" }] }, [
      dataset("user_001"),
      dataset("User 2", { project: "openstack/cinder" }),
    ]);
    assert.deepEqual(tasks[0]?.object.spec.datasets, [
      {
        name: "user_001",
        projects: ["openstack/nova"],
        path: "/dataset",
        persistentVolumeClaim: { claimName: "user-001", readOnly: true },
      },
      {
        name: "user-2",
        projects: ["openstack/cinder"],
        path: "/dataset",
        persistentVolumeClaim: { claimName: "user-2", readOnly: true },
      },
    ]);
    assert.match(tasks[0]?.notes[1]?.message ?? "", /nova_mysql_migrations\.sh, cinder_mysql_migrations\.sh/);
    assert.ok(tasks[0]?.notes.some(({ message }) => message.startsWith("of several datasets the original ran the first one alone")));
  });

  test("limits become those of steps and counters; a bug is the reason of its migration, up and down", () => {
    const checks = checksOf(
      dataset("one", {
        maximum_migration_times: { default: 60, "204->205": 97.2, "205->204": 0, "205->206": 116.0, _205_bugs: [1263868, 7] },
        XInnodb_rows_changed: { default: 1000, "184->185": 140_000.5 },
      }),
    );
    assert.deepEqual(checks.get("migrations")?.steps, {
      start: "([0-9]+) -> ([0-9]+)\\.\\.\\.",
      end: "done$",
      key: "{1}->{2}",
      limit: "60s",
      overrides: [
        { step: "204->205", limit: "98s", reason: "bug 1263868, bug 7" },
        { step: "205->204", limit: "1s", reason: "bug 1263868, bug 7" },
        { step: "205->206", limit: "116s" },
      ],
    });
    assert.equal(checks.get("rows-changed")?.message, "WARNING - Migration {step} changed too many rows ({found})");
    assert.deepEqual(checks.get("rows-changed")?.counters, {
      regex: "Innodb_rows_changed\\t([0-9]+)",
      measure: "step",
      steps: "migrations",
      limit: 1000,
      overrides: [{ step: "184->185", limit: 140_000 }],
    });
    assert.equal(checks.has("rows-read"), false);
  });

  test("of limits that differ the largest holds, of a migration that a dataset does not name its default, and that is told", () => {
    const datasets = [
      dataset("one", { Innodb_rows_read: { default: 100, "1->2": 500, "2->3": 50 } }),
      dataset("two", { Innodb_rows_read: { default: 200, "1->2": 300 } }),
    ];
    const { counters } = checksOf(...datasets).get("rows-read") ?? {};
    assert.deepEqual(
      [counters?.limit, counters?.overrides],
      [
        200,
        [
          { step: "1->2", limit: 500 },
          { step: "2->3", limit: 200 },
        ],
      ],
    );
    const { tasks } = importOf({ jobs: [{ name: "build:db", plugin: "real_db_upgrade", datasets_dir: "/d" }] }, datasets);
    assert.match(tasks[0]?.notes.at(-1)?.message ?? "", /^the datasets differ in Innodb_rows_read;/);
  });
});
