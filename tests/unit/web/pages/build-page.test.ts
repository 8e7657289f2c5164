import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readWindow } from "../../../../src/web/logs/log-window.ts";
import { renderChecks } from "../../../../src/web/pages/build-checks.ts";
import { type BuildView, renderBuildPage } from "../../../../src/web/pages/build-page.ts";
import { GrownLog } from "../../../support/pages/grown-log.ts";
import { DETAILS, NOW, RUNNING, sampleBuild, WAITING } from "../../../support/pages/sample-pages.ts";

const FRAME = { home: "../", stylesheet: "../a.css", script: "../a.js", icon: "../i.svg" };
/** Everything that could leave its place in a page. */
const HOSTILE = `"'><script>alert(1)</script><!-- & \u202e \0 \x1b[31m </code></pre>`;

function render(changes: Partial<BuildView> = {}, frame: Parameters<typeof renderBuildPage>[0] = FRAME): string {
  const view: BuildView = {
    ...{
      report: sampleBuild(),
      evidence: undefined,
      attempt: undefined,
      details: DETAILS,
      problems: [],
      log: undefined,
      hasJob: true,
      now: NOW,
    },
    ...{ otherLogs: [], commits: [], containers: [], artifacts: undefined, checks: undefined },
    ...changes,
  };
  return renderBuildPage(frame, view).toString();
}

describe("renderBuildPage", () => {
  test("says first what the build means: sentence, result, rule in words, and what Zuul does", () => {
    const page = render();
    const heading = page.indexOf("2 of 314 tests failed");
    assert.ok(heading > 0 && heading < page.indexOf("<h2"), "before all else");
    for (const text of ["Failed", "FAILURE - 2 of 314 tests failed", "exit-code", "Zuul reports the text; the change has failed."]) {
      assert.ok(page.includes(text), text);
    }
  });

  test("says on which dataset it ran, and what that was made from", () => {
    const page = render({ report: sampleBuild({ dataset: { name: "user_001", version: "2024-06-01", source: `image ${HOSTILE}` } }) });
    assert.match(page, /, on dataset <b>user_001<\/b>/);
    assert.match(page, /<td>user_001, version 2024-06-01: image &quot;/);
    assert.ok(!page.includes("<script>alert"), "it stays text");
    assert.doesNotMatch(render(), /dataset <b>|>Dataset</);
  });

  test("says which attempt it was where Zuul runs it again", () => {
    const verdict = { result: null, class: "infrastructure", rule: "node-lost", message: "the node was lost" } as const;
    const page = render({ report: sampleBuild({ verdict }), attempt: 2 });
    for (const text of ["No result", "The node was lost", "nothing: no result", "This was attempt 2, of 3 unless"]) {
      assert.ok(page.includes(text), text);
    }
  });

  test("says what a build waits for, and is loaded anew without a script until it has ended", () => {
    const page = render({ report: WAITING });
    assert.match(page, /<\/span> <span class="sentence" data-sentence>0\/3 nodes are available: 3 Insufficient memory\./);
    assert.match(page, /There is none yet\./);
    assert.match(page, /<noscript><meta http-equiv="refresh" content="15"><\/noscript>/);
    assert.doesNotMatch(render(), /http-equiv/);
    assert.match(render({ report: RUNNING }), /18 min 50 s so far/);
  });

  test("says what each check found, with links to the lines, and opens those that did not pass", () => {
    const found = (line: number, isBad?: true) => ({ line, text: `<${line}> took 61s`, ...(isBad ? { isBad } : {}) });
    const checks = [
      { name: "quiet", kind: "pattern", outcome: "passed", message: "found 0 lines", findings: [], more: 0 },
      { name: "slow", kind: "steps", outcome: "failed", message: "too <long>", findings: [found(7), found(9, true)], more: 3 },
    ] as const;
    const page = render({ checks: checks.map((check) => ({ ...check, findings: [...check.findings] })) });
    assert.match(page, /Checks: 1 of 2 did not pass/);
    assert.match(page, /<details open><summary><b>slow<\/b> failed: too &lt;long&gt;/);
    assert.match(page, /<strong>&lt;9&gt; took 61s<\/strong>/);
    assert.match(page, /And 3 more/);
    assert.match(page, /href="#checks"/);
    assert.match(
      renderChecks(
        checks.map((check) => ({ ...check, findings: [...check.findings] })),
        "../logs/test",
      ).toString(),
      /href="..\/logs\/test\?line=9#L9">line 9</,
    );
    assert.doesNotMatch(render(), /checks/i);
  });

  test("says how to read the log, or why there is none", () => {
    assert.match(render(), /kubectl --namespace ci logs job\/nova-unit-0123456789abcdef<\/pre>/);
    assert.match(render({ report: RUNNING }), /kubectl --namespace ci logs job\/nova-unit-0123456789abcdef --follow<\/pre>/);
    assert.match(render({ hasJob: false }), /Nothing of it was kept\./);
    const none = /There is none: the test has not begun\./;
    assert.match(render({ report: sampleBuild({ pod: undefined }) }), none);
    const times = sampleBuild().times.filter(({ step }) => step !== "running");
    assert.match(render({ report: sampleBuild({ times }) }), none, "nor is there anything in its pod");
    const prepared = { times: times.slice(0, 4), verdict: undefined, standing: "waiting", step: "preparing" } as const;
    assert.match(render({ report: sampleBuild(prepared) }), /There is none yet\./);
  });

  test("leads from a failure to the first error in its log, and marks lines that look like one", async () => {
    const log = new GrownLog("fine\n\x1b[31mE  AssertionError: 1 != 2\x1b[0m\n");
    const view = { container: "test", window: await readWindow(log, 1, 10), path: "l/test", api: "a", raw: "r" };
    const page = render({ log: view });
    const [contents = ""] = /<nav class="contents".*<\/nav>/.exec(page) ?? [];
    assert.match(contents, /<a href="l\/test\/first-error">First error in the log<\/a>/);
    assert.match(page, /<div class="line" id="L1"/);
    assert.match(page, /<div class="line is-error" id="L2" data-line="2"><a [^>]*aria-label="Line 2, looks like an error"/);
    assert.doesNotMatch(render({ report: RUNNING, log: view }), /First error in the log/);
  });

  test("leads to other builds of its task, and of its change where it has one", () => {
    const page = render();
    assert.ok(page.includes('<a href="../builds?task=ci%2Fnova-unit">this task</a>'), page);
    assert.ok(page.includes('<a href="../builds?project=openstack%2Fnova&amp;change=4711">this change</a>'), page);
    assert.doesNotMatch(render({ report: sampleBuild({ item: { project: "openstack/nova", branch: "master" } }) }), /this change/);
  });

  test("says what was seen, in words", () => {
    assert.match(render({ evidence: { container: "test", exitCode: 1 } }), /<dt>Seen<\/dt><dd>container test, exit code 1<\/dd>/);
  });

  test("names what it does not show", () => {
    assert.match(render(), /SWIFT_logs_hmac_body<\/th><td><i class="quiet">not shown: it looks like a secret/);
  });

  test("lets nothing out of its place, whoever wrote it", async () => {
    const log = new GrownLog(`${HOSTILE}\n`);
    const text = HOSTILE;
    const page = render({
      report: sampleBuild({
        ...{ number: text, namespace: text, task: text, functionName: text, jobName: text, pod: text, node: text, step: text },
        item: { project: text, branch: text, change: text, patchset: text, pipeline: text, ref: text },
        verdict: { result: text, class: "failure", rule: text, message: text },
        waitingFor: text,
      }),
      details: {
        parameters: [{ name: text, value: text }],
        containers: [{ name: text, image: text, isTest: false }],
        again: { kubectl: text, docker: text, needs: [text] },
      },
      evidence: { [text]: text },
      problems: [text],
      containers: [{ name: text, image: text, imageId: text, reason: text, exitCode: 1, startedAt: text, finishedAt: text }],
      log: { container: text, window: await readWindow(log, 1, 10), path: text, api: text, raw: text },
      otherLogs: [{ container: text, href: text }],
      commits: [{ project: text, ref: text, commit: text, subject: text, url: text }],
      artifacts: {
        folder: text,
        record: {
          files: [{ path: text, name: text, bytes: 1, isChanged: true }],
          ...{ bytes: 1, leftOut: [{ name: text, why: text }], leftOutCount: 2 },
          junit: {
            ...{ tests: 2, failures: 1, errors: 0, skipped: 0, seconds: 1, unread: [{ file: text, why: text }] },
            failed: [{ file: text, name: text, kind: "failure", message: text }],
          },
        },
      },
    });
    assert.doesNotMatch(page, /<script>|<!--|alert\(1\)<\/script>/);
    // Nothing but what the pages are made of.
    const tags = new Set([...page.matchAll(/<\/?([a-z][a-z0-9]*)/g)].map(([, name]) => name));
    const known =
      "html head meta title link script body a header nav b main section h1 h2 h3 span p dl dt dd code svg rect ol ul li pre button details summary table tbody tr th td br i div form input label noscript";
    assert.deepEqual(
      [...tags].filter((name) => !known.split(" ").includes(String(name))),
      [],
    );
    assert.equal(page.match(/<script/g)?.length, 1);
  });

  test("needs no operator: stored, it names nothing but what lies beside it", () => {
    const page = render({}, { stylesheet: "pages.css", script: "pages.js", icon: "icon.svg" });
    assert.deepEqual(
      [...page.matchAll(/(?:href|src|action)="([^"]*)"/g)].map(([, url]) => url),
      ["icon.svg", "pages.css", "pages.js", "#main", "#log-heading", "#again"],
    );
  });
});
