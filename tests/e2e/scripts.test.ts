import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { loadImage } from "../../deploy/local/local-cluster.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { ensureOwnTestsImage } from "../support/cluster/own-tests-image.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulBuild, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const context = useTestCluster("scripts");

let server: GearmanServer;
let operator: OperatorProcess;
let zuul: ZuulLauncher;

/** Tests as people write them, and what Zuul is to get of them. */
interface Row {
  name: string;
  how: string;
  result: string;
  spec(images: { own: string; withTests: string }): object;
}

const REPORT = 'i=0; while [ $i -lt 200 ]; do i=$((i + 1)); echo "  test_$i: expected $i but was 0"; done';
/** The name that the template's container has decides nothing here. */
const template = (spec: object, test: object = {}) => ({ template: { spec: { containers: [{ name: "test", ...test }], ...spec } } });

const ROWS: Row[] = [
  {
    name: "bash-condition",
    how: "a condition of bash",
    result: "the tests of master failed",
    spec: () => ({
      script:
        '#!/bin/bash\nbranch=master\nif [[ $branch == m* ]]; then echo "the tests of $branch failed" > "$TH_RESULT_FILE"; exit 1; fi\n',
    }),
  },
  {
    name: "bash-pipe",
    how: "pipefail, found by env",
    result: "FAILURE",
    spec: () => ({ script: "#!/usr/bin/env bash\nset -euo pipefail\n{ echo 1 of 3 tests failed; exit 1; } | tee log\n" }),
  },
  {
    name: "in-javascript",
    how: "a script in another language, which knows its own file",
    result: "SUCCESS",
    spec: () => ({
      script: "#!/usr/bin/env node\nprocess.exit(require('node:fs').readFileSync(process.argv[1], 'utf8').includes('exit') ? 0 : 1)\n",
    }),
  },
  {
    name: "no-interpreter",
    how: "an interpreter that the image does not have",
    result: "CONFIG_ERROR - the interpreter /usr/bin/python3 of the script is not in the image",
    spec: () => ({ script: "#!/usr/bin/python3\nprint('hello')\n" }),
  },
  { name: "crashes", how: "a script that ends itself by a signal", result: "FAILURE", spec: () => ({ script: "kill -SEGV $$" }) },
  {
    name: "leaves-orphans",
    how: "orphans that have ended are no zombies",
    result: "0 zombies",
    spec: () => ({
      script:
        'for i in 1 2 3 4 5; do (sleep 0.1 &); done; sleep 1; echo "$(grep -l "^State:.Z" /proc/[0-9]*/status | wc -l) zombies" > "$TH_RESULT_FILE"; exit 1',
    }),
  },
  {
    name: "long-report",
    how: "a result file of more than 4 KiB",
    result: "60 of 812 tests failed",
    spec: () => ({ script: `{ echo "60 of 812 tests failed"; ${REPORT}; } > "$TH_RESULT_FILE"; exit 1` }),
  },
  {
    name: "own-tests",
    how: "an image's own command, in its working directory",
    result: "FAILURE",
    spec: ({ withTests }) => ({ image: withTests }),
  },
  {
    name: "own-report",
    how: "an own command's message of more than 4 KiB, of which the kubelet keeps the tail",
    result: "FAILURE",
    spec: () => template({}, { command: ["/bin/sh", "-c", `{ echo "60 of 812 tests failed"; ${REPORT}; } > "$TH_RESULT_FILE"; exit 1`] }),
  },
  {
    name: "references",
    how: "variables that refer to ours, to the request's, and to one that the task overrides",
    result: "SUCCESS",
    spec: ({ own }) => ({
      env: [
        { name: "JUNIT", value: "$(TH_ARTIFACTS_DIR)/junit.xml" },
        { name: "CHANGE", value: "change $(ZUUL_CHANGE)" },
        { name: "DB_HOST", value: "db.example.org" },
      ],
      script: 'test "$JUNIT $CHANGE $DB_URL" = "$TH_ARTIFACTS_DIR/junit.xml change 1234 mysql://db.example.org/nova"',
      ...template(
        {},
        {
          image: own,
          env: [
            { name: "DB_HOST", value: "localhost" },
            { name: "DB_URL", value: "mysql://$(DB_HOST)/nova" },
          ],
        },
      ),
    }),
  },
  {
    name: "service-workspace",
    how: "a service that runs the tests which the workspace has",
    result: "1 test in test.sh failed",
    spec: ({ own }) => ({
      script: `echo 'echo "1 test in test.sh failed"; exit 1' > test.sh
        until [ -f answer ]; do sleep 0.1; done
        cat answer > "$TH_RESULT_FILE"
        exit 1`,
      services: [
        {
          name: "runner",
          image: own,
          workspace: true,
          command: [
            "/bin/sh",
            "-c",
            "until [ -f /workspace/test.sh ]; do sleep 0.1; done; sh /workspace/test.sh > /workspace/said; mv /workspace/said /workspace/answer; sleep 600",
          ],
        },
      ],
    }),
  },
];

/** Builds that Zuul stops while they run; each says `ready` first. */
const STOPPED: { name: string; how: string; exitCode: number; log: RegExp; spec: object }[] = [
  {
    name: "cleans-up",
    how: "script and child handle TERM, and the child's cleaning outlasts the script",
    exitCode: 3,
    log: /^ready\nscript cleaned\nchild cleaned\n/m,
    spec: {
      script: `sh -c 'trap "sleep 2; echo child cleaned; exit" TERM; sleep 600 & wait' &
        trap 'echo script cleaned; exit 3' TERM
        echo ready
        wait`,
    },
  },
  {
    name: "handles-nothing",
    how: "nothing handles TERM, and all ends at once",
    exitCode: 143,
    log: /^ready\n/,
    spec: { script: "echo ready; sleep 600; echo not reached" },
  },
  {
    name: "child-ignores",
    how: "a child ignores TERM, and is killed after the grace",
    exitCode: 137,
    log: /^ready\n/,
    spec: { script: "sh -c 'trap \"\" TERM; sleep 600' & echo ready; wait", ...template({ terminationGracePeriodSeconds: 4 }) },
  },
  {
    name: "shared-processes",
    how: "with a process namespace that it shares TERM ends its shell, and the runtime the rest",
    exitCode: 143,
    log: /^ready\n/,
    spec: { script: "echo ready; sleep 600", ...template({ shareProcessNamespace: true }) },
  },
];

describe("a script on a real kubelet", { concurrency: 8 }, () => {
  before(async () => {
    const own = context.image;
    const { archive, tag: withTests } = await ensureOwnTestsImage();
    await loadImage(context.cluster.name, archive);
    server = await startGearmand();
    const task = (name: string, spec: object) => ({
      apiVersion: "turbo-hipster.io/v1alpha1",
      kind: "TestTask",
      metadata: { name },
      spec: { image: own, ...spec },
    });
    await context.apply(
      ...ROWS.map(({ name, spec }) => task(name, spec({ own, withTests }))),
      ...STOPPED.map(({ name, spec }) => task(name, spec)),
    );
    operator = await startOperator({
      kubeconfig: context.cluster.kubeconfig,
      config: { installation: "scripts", namespaces: [context.namespace], image: own, gearman: { servers: [server.address] } },
    });
    zuul = await startZuulLauncher({ server: server.address, patient: true });
  });
  after(async () => {
    await zuul?.stop();
    await operator?.stop();
    await server?.stop();
  });

  for (const { name, how, result } of ROWS) {
    test(`${name}: ${how}`, async () => {
      const completed = await zuul.launch({ job: name, attempts: 1 }).completed;
      assert.equal(completed.result, result);
      if (name === "crashes") {
        const { text } = await operator.logged("judged the build", ({ build }) => build === completed.number);
        assert.equal(text, "the test ended with exit code 139 (signal 11)");
      }
    });
  }

  for (const { name, how, exitCode, log } of STOPPED) {
    test(`stopped, ${name}: ${how}`, async () => {
      const { build, number } = await launchReady(name);
      await build.cancel();
      await build.waitFor("answered");
      assert.equal(await exitCodeOf(number), exitCode);
      assert.match(await logOf(number), log);
    });
  }

  test("stopped together, as by a gate's reset: each got TERM, and none was killed", async () => {
    const builds = await Promise.all(Array.from({ length: 10 }, () => launchReady("handles-nothing")));
    await Promise.all(builds.map(({ build }) => build.cancel()));
    await Promise.all(builds.map(({ build }) => build.waitFor("answered")));
    assert.deepEqual(
      await Promise.all(builds.map(({ number }) => exitCodeOf(number))),
      builds.map(() => 143),
    );
  });
});

/** Once its script has come as far as its traps, which is later than the kubelet shows it as running. */
async function launchReady(job: string): Promise<{ build: ZuulBuild; number: string }> {
  const build = zuul.launch({ job, attempts: 1 });
  const number = String((await build.started).number);
  await build.waitFor("update", ({ numerator }) => numerator === "4");
  await waitUntil(`a word from ${number}`, 30_000, async () => (await logOf(number)).includes("ready\n"));
  return { build, number };
}

/** The answer may come before the kubelet has written down how the container ended. */
async function exitCodeOf(number: string): Promise<number | undefined> {
  const ofPod = ["--namespace", context.namespace, "--selector", `job-name=${number}`];
  const ended = "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}";
  await context.kubectl("wait", "pod", ...ofPod, `--for=${ended}`, "--timeout=30s");
  return Number(await context.kubectl("get", "pods", ...ofPod, "-o", ended.replace("{.", "{.items[0].")));
}

function logOf(number: string): Promise<string> {
  return context.kubectl("logs", "--namespace", context.namespace, `job/${number}`, "--container=test");
}
