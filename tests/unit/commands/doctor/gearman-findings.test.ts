import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Finding } from "../../../../src/commands/doctor/finding.ts";
import { renderServer, type ServerFacts } from "../../../../src/commands/doctor/gearman-findings.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

const line = (name: string, workers: number, waiting = 0) => ({ name, waiting, running: 0, workers });
const worker = (clientId: string, ...functions: string[]) => ({ clientId, functions });

const OWN = [
  worker("turbo-hipster/th/a-1/registrar", "build:unit", "build:docs"),
  worker("turbo-hipster/th/a-1/lane/shared", "build:unit", "build:docs"),
];
const WELL: ServerFacts = {
  server: "g:4730",
  version: "1.1.20",
  lines: [line("build:unit", 2), line("build:docs", 2), line("stop:turbo-hipster-th", 1), line("build:elsewhere", 1)],
  workers: [...OWN, worker("jenkins", "build:elsewhere")],
};
const SEEN = { isKnown: true, tasks: [makeTask({ jobs: ["unit", "docs"] })], invalid: [] } as const;

const render = (changes: Partial<ServerFacts> = {}, seen: Parameters<typeof renderServer>[1] = SEEN) =>
  renderServer({ ...WELL, ...changes }, seen, "th");
const troubles = (findings: readonly Finding[]) =>
  findings
    .filter(({ state, what }) => state !== "ok" && !what.endsWith("settings"))
    .map(({ what, state, says }) => `${state} ${what}: ${says}`);

describe("a Gearman server", () => {
  test("that is well has its kind, what it can't tell, the operator and the functions", () => {
    assert.deepEqual(
      render().map(({ what, state }) => `${state} ${what}`),
      ["ok g:4730", "unseen g:4730 settings", "ok g:4730 operator", "ok g:4730 functions"],
    );
    assert.match(render()[0]?.says ?? "", /^gearmand 1\.1\.20, knows 4 functions/);
    assert.match(render()[1]?.remedy ?? "", /--round-robin --keepalive /);
    assert.match(render()[3]?.says ?? "", /all 2 .*this installation alone/);
  });

  test("that is geard is told with what can't be healed there", () => {
    const [kind, settings] = render({ version: undefined });
    assert.match(kind?.says ?? "", /^does not tell its version, as Zuul's own geard.*each lost link costs/);
    assert.match(settings?.says ?? "", /without keepalive/);
  });

  test("that no replica of this installation is connected to has failed", () => {
    assert.deepEqual(troubles(render({ lines: WELL.lines.filter(({ name }) => !name.startsWith("stop:")) })), [
      "failed g:4730 operator: no replica of the installation th is connected: nobody has registered stop:turbo-hipster-th",
    ]);
  });

  test("tells functions that Zuul would call NOT_REGISTERED, and those whose workers are gone", () => {
    const found = troubles(render({ lines: [line("build:docs", 0), line("stop:turbo-hipster-th", 1)], workers: [] }));
    assert.deepEqual(found, [
      "failed g:4730 functions: not registered, so that Zuul says NOT_REGISTERED: build:unit",
      "failed g:4730 functions: registered, and no worker is there any more: build:docs",
    ]);
  });

  test("tells who else serves a TestTask's function: a launcher, a worker without a name, another installation", () => {
    const others = [
      worker("jenkins-01", "build:unit", "build:other"),
      worker("-", "build:docs"),
      worker("turbo-hipster/th2/b/lane/x", "build:docs"),
    ];
    assert.deepEqual(troubles(render({ workers: [...OWN, ...others] })), [
      "warning g:4730 build:unit: also served by jenkins-01: a build goes to either of them",
      "warning g:4730 build:docs: also served by a worker without a name, turbo-hipster/th2/b/lane/x: a build goes to either of them",
    ]);
  });

  test("does not flood: of many such functions some are told, and how many more there are", () => {
    const jobs = Array.from({ length: 30 }, (_, index) => `j${index}`);
    const lines = [...jobs.map((job) => line(`build:${job}`, 1)), line("stop:turbo-hipster-th", 1)];
    const names = jobs.map((job) => `build:${job}`);
    const seen = { isKnown: true, tasks: [makeTask({ jobs })], invalid: [] } as const;
    const found = troubles(render({ lines, workers: [worker("jenkins", ...names)] }, seen));
    assert.equal(found.length, 21);
    assert.match(found.at(-1) ?? "", /10 more functions/);
  });

  test("tells functions that are registered only, but not those of a suspended TestTask", () => {
    const [registrar] = OWN;
    assert.ok(registrar);
    assert.deepEqual(troubles(render({ workers: [registrar] })), [
      "warning g:4730 functions: registered, but no replica takes them here: build:unit, build:docs",
    ]);
    const seen = { isKnown: true, tasks: [makeTask({ jobs: ["unit", "docs"], suspend: true })], invalid: [] } as const;
    assert.deepEqual(troubles(render({ workers: [registrar] }, seen)), []);
  });

  test("tells requests that wait for nobody, whosever the job is", () => {
    assert.deepEqual(troubles(render({ lines: [...WELL.lines, line("build:gone", 0, 3)] })), [
      "warning g:4730 functions: requests wait that no worker serves: build:gone",
    ]);
    const merger = render({ lines: [...WELL.lines, line("merger:merge", 0, 1)] }).at(-1);
    assert.match(`${merger?.says} ${merger?.remedy}`, /merger:merge .*is what serves them running/);
  });

  test("that does not say who its workers are, or whose TestTasks are unknown, is not guessed at", () => {
    assert.deepEqual(troubles(render({ workers: undefined })), ["unseen g:4730 workers: the server does not say who serves the functions"]);
    assert.deepEqual(troubles(render({}, { isKnown: false, why: "no cluster" })), [
      "unseen g:4730 functions: the TestTasks are unknown: no cluster",
    ]);
  });
});
