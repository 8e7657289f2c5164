// Pictures of every page, to be looked at: node tests/browser/pictures.ts DIRECTORY
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openPage, startChromium } from "../support/pages/chromium.ts";
import { GrownLog } from "../support/pages/grown-log.ts";
import { sampleChecks } from "../support/pages/sample-checks.ts";
import { FAILED, FAILED_FILE } from "../support/pages/sample-file.ts";
import { makeSampleSources, pastBuilds, RUNNING, sampleBuild, WAITING } from "../support/pages/sample-pages.ts";
import { servePages } from "../support/pages/serve-pages.ts";

const PASSED = sampleBuild({
  number: "nova-unit-00000000000000cc",
  jobName: "nova-unit-00000000000000cc",
  verdict: { result: "SUCCESS", class: "success", rule: "exit-0", message: "the test passed" },
});
const NODE_LOST = sampleBuild({
  number: "nova-unit-00000000000000dd",
  jobName: "nova-unit-00000000000000dd",
  launch: "l",
  verdict: { result: null, class: "infrastructure", rule: "node-lost", message: "the node worker-7 was lost" },
});
const MISCONFIGURED = sampleBuild({
  number: "nova-unit-00000000000000ee",
  jobName: "nova-unit-00000000000000ee",
  times: [...sampleBuild().times.slice(0, 4), { step: "ended", at: "2026-11-28T09:41:02Z" }],
  verdict: {
    ...{ result: "CONFIG_ERROR - secret db not found", class: "configuration", rule: "container-config" },
    message: "secret db not found",
  },
});
/** One that ran on two datasets, as the example in deploy/examples/db-migrations. */
const MIGRATED = sampleBuild({
  ...{ number: "db-migrations-00000000000000ff", jobName: "db-migrations-00000000000000ff-0", task: "db-migrations" },
  functionName: "build:inventory-db-migrations",
  item: { project: "example/inventory", branch: "master", change: "4711", patchset: "3", pipeline: "check", ref: "refs/zuul/master/Z1" },
  pod: "db-migrations-00000000000000ff-0-x2x4z",
  verdict: {
    ...{ class: "failure", rule: "check-failed" },
    result: "WARNING - Migration 0002->0003 took too long (user_002, 1 of 2 datasets failed)",
    message: "check migrations failed: step 0002->0003 took 25.2s, limit 15s (user_002, 1 of 2 datasets failed)",
  },
  members: [
    {
      ...{ dataset: "user_001", number: "db-migrations-00000000000000ff-0", standing: "ended", step: "ended" },
      verdict: {
        result: "SUCCESS",
        class: "success",
        rule: "exit-0",
        message: "the test ended with exit code 0, and its 5 checks found nothing wrong",
      },
    },
    {
      ...{ dataset: "user_002", number: "db-migrations-00000000000000ff-1", standing: "ended", step: "ended" },
      verdict: {
        ...{ class: "failure", rule: "check-failed" },
        result: "WARNING - Migration 0002->0003 took too long",
        message: "check migrations failed: step 0002->0003 took 25.2s, limit 15s",
      },
    },
  ],
});

/** Of its second dataset: what the checks of the example found in its log. */
const CHECKED_LOG = sampleChecks(
  [
    {
      ...{ name: "migrations", message: "WARNING - Migration {step} took too long" },
      steps: {
        ...{ start: "Running upgrade (\\S+) -> (\\S+),", end: "^done$", key: "{1}->{2}", limit: "15s" },
        overrides: [{ step: "0001->0002", limit: "60s", reason: "fills a column of every row" }],
      },
    },
    {
      ...{ name: "rows-read", message: "WARNING - Migration {step} read too many rows ({found})" },
      counters: { regex: "^counter rows_read ([0-9]+)$", measure: "step", steps: "migrations", limit: 200_000 },
    },
    { name: "schema", pattern: { regex: "^Final schema version is", expect: "present" } },
  ],
  [
    [0, "counter rows_read 12"],
    [1, "Running upgrade 0001 -> 0002, fill item.state"],
    [19.4, "done"],
    [19.5, "counter rows_read 84012"],
    [20, "Running upgrade 0002 -> 0003, index item.owner"],
    [45.2, "done"],
    [45.3, "counter rows_read 101300"],
    [45.9, "Final schema version is 0003"],
  ],
);
const CHECKED = sampleBuild({
  ...{ number: "db-migrations-00000000000000ff-1", jobName: "db-migrations-00000000000000ff-1", task: "db-migrations" },
  ...{ functionName: "build:inventory-db-migrations", pod: "db-migrations-00000000000000ff-1-9d7vk", item: MIGRATED.item },
  times: [...sampleBuild().times.slice(0, 5), { step: "ended", at: "2026-11-28T09:41:56Z" }],
  endedAt: "2026-11-28T09:41:57Z",
  dataset: { name: "user_002", version: "2024-06-01", source: "image registry.example.com/ci/inventory-user-002:1" },
  verdict: {
    ...{ class: "failure", rule: "check-failed", checks: CHECKED_LOG.results },
    result: "WARNING - Migration 0002->0003 took too long",
    message: "check migrations failed: step 0002->0003 took 25.2s, limit 15s",
  },
});

function console_(isEnded: boolean): GrownLog {
  const log = new GrownLog(
    [
      "GLOB sdist-make: /workspace/setup.py",
      "py312 create: /workspace/.tox/py312",
      "\x1b[1m============================= test session starts ==============================\x1b[0m",
      "platform linux -- Python 3.12.3, pytest-8.2.0, pluggy-1.5.0",
      "collected 314 items",
      "",
      ...Array.from({ length: 40 }, (_, index) => `nova/tests/unit/test_compute_${index}.py \x1b[32m........\x1b[0m [ ${index * 2}%]`),
      "nova/tests/unit/test_api.py \x1b[31mF\x1b[0m\x1b[32m.....\x1b[0m\x1b[33ms\x1b[0m [ 96%]",
      "",
    ].join("\n"),
  );
  log.hole("2026-11-28T09:50:00Z", "2026-11-28T09:50:07Z");
  if (!isEnded) {
    log.print("nova/tests/unit/test_network.py ...");
    return log;
  }
  log.print(
    [
      "\x1b[31m\x1b[1m___________________________ TestApi.test_quota_exceeded ___________________________\x1b[0m",
      "    def test_quota_exceeded(self):",
      ">       self.assertEqual(403, response.status_int)",
      "\x1b[1m\x1b[31mE       AssertionError: 403 != 500\x1b[0m",
      `a very long line: ${"0123456789 ".repeat(40)}`,
      "nova/tests/unit/test_api.py:88: AssertionError",
      "\x1b[31m======================== 2 failed, 311 passed, 1 skipped in 91.22s ========================\x1b[0m",
      "ERROR: InvocationError for command pytest (exited with code 1)",
      "",
    ].join("\n"),
  );
  log.end();
  return log;
}

const directory = process.argv[2] ?? "pictures";
await mkdir(directory, { recursive: true });
const ended = console_(true);
const logs = new Map([
  [FAILED.number, ended],
  [PASSED.number, ended],
  [NODE_LOST.number, console_(false)],
  [RUNNING.number, console_(false)],
  [CHECKED.number, CHECKED_LOG.log],
]);
const find = async (number: string) =>
  number === FAILED.number ? { file: FAILED_FILE, log: () => undefined, artifact: async () => undefined } : undefined;
const sources = makeSampleSources(
  [RUNNING, WAITING, FAILED, NODE_LOST, MISCONFIGURED, MIGRATED, CHECKED, PASSED, ...pastBuilds(45)],
  logs,
  {
    stored: { find, recent: async () => [] },
  },
);
await using served = await servePages(sources);
const browser = await startChromium();
const pages = {
  failed: `/builds/${FAILED.number}`,
  running: `/builds/${RUNNING.number}`,
  waiting: `/builds/${WAITING.number}`,
  lost: `/builds/${NODE_LOST.number}`,
  misconfigured: `/builds/${MISCONFIGURED.number}`,
  datasets: `/builds/${MIGRATED.number}`,
  checks: `/builds/${CHECKED.number}`,
  builds: "/builds",
  tasks: "/tasks",
  log: `/builds/${FAILED.number}/logs/test?line=1#L50-L52`,
  search: `/builds/${FAILED.number}/logs/test?q=assert`,
  missing: "/builds/none",
};
const looks = {
  "wide-light": {},
  "wide-dark": { colorScheme: "dark" },
  "narrow-light": { viewport: { width: 320, height: 640 } },
  "narrow-dark": { viewport: { width: 320, height: 640 }, colorScheme: "dark" },
} as const;
const wanted = process.argv.slice(3);
for (const [name, path] of Object.entries(pages)) {
  for (const [look, options] of Object.entries(looks)) {
    if (wanted.length > 0 && !wanted.some((each) => `${name}-${look}`.includes(each))) continue;
    await using opened = await openPage(browser, served.url, options);
    await opened.page.goto(served.url + path);
    await opened.page.screenshot({ path: join(directory, `${name}-${look}.png`), fullPage: true });
  }
}
await browser.close();
