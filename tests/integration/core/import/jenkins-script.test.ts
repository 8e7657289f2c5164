import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { convertJenkinsJob } from "../../../../src/core/import/jenkins-script.ts";

function run(t: TestContext, builders: unknown[], values?: ReadonlyMap<string, string>) {
  const directory = mkdtempSync(join(tmpdir(), "th-jenkins-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const { script = assert.fail("has no script") } = convertJenkinsJob({ place: "f", body: { builders }, values });
  const file = join(directory, "script");
  writeFileSync(file, script);
  chmodSync(file, 0o755);
  const { status, stdout } = spawnSync(file, { cwd: directory, env: { PATH: process.env.PATH, TMPDIR: directory }, encoding: "utf8" });
  return { status, lines: stdout.trim().split("\n") };
}

test("shell builders run one after another, each by its own interpreter, in a shell of its own and in the same directory", (t) => {
  const builders = [
    { shell: 'cd /; VALUE=1; echo made > "$OLDPWD/file"' },
    {
      shell:
        "#!/bin/bash\n[[ -z $VALUE ]] && echo \"$(cat file) $BASH\"\nfalse\necho 'END_OF_BUILDER_2'\ncat <<'END_OF_BUILDER_2'\nEND_OF_BUILDER_2\n",
    },
    { shell: "echo last" },
  ];
  assert.deepEqual(run(t, builders), { status: 0, lines: ["made /bin/bash", "END_OF_BUILDER_2", "last"] });
});

test("the first that fails is the end, as is what has no counterpart", (t) => {
  assert.deepEqual(run(t, [{ shell: "echo one\nfalse\necho two" }, { shell: "echo three" }]), { status: 1, lines: ["one"] });
  assert.deepEqual(run(t, [{ shell: "echo one" }, "$(echo macro)", { shell: "echo three" }]), { status: 1, lines: ["one"] });
});

test("a template's braces and values are filled in", (t) => {
  const builders = [{ shell: "X=a; echo $" + "{{X}}-{name}" }];
  assert.deepEqual(run(t, builders, new Map([["name", "nova"]])), { status: 0, lines: ["a-nova"] });
});
