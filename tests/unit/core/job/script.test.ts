import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { renderScript } from "../../../../src/core/job/script.ts";
import type { PodSpec } from "../../../../src/core/kubernetes/objects.ts";

const HAS_BASH = existsSync("/bin/bash");
const POD = { containers: [] };

let directory: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), "th-script-"));
});
after(() => rmSync(directory, { recursive: true, force: true }));

interface Circumstances {
  env?: Record<string, string>;
  /** What makes the result file, and the file of the container's termination message. */
  result?: (file: string) => void;
  log?: (file: string) => void;
  pod?: PodSpec;
}

/** As the kubelet has it: what is doubled is one again, and the file is there. */
function run(script: string, { env = {}, result, log = (file) => writeFileSync(file, ""), pod = POD }: Circumstances = {}) {
  const place = mkdtempSync(join(directory, "run-"));
  const [file, resultFile, termination] = ["script", "result", "termination"].map((name) => join(place, name)) as [string, string, string];
  writeFileSync(file, script);
  chmodSync(file, 0o555);
  log(termination);
  result?.(resultFile);
  const files = { script: file, result: resultFile, termination };
  const [command = "", ...args] = (renderScript(script, pod, files).command ?? []).map((word) => word.replaceAll("$$", "$"));
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: place,
    encoding: "utf8",
    env: { HOME: "/home/x", PATH: "/usr/bin:/bin", FILE: resultFile, MESSAGE: termination, ...env },
    timeout: 20_000,
  });
  return { status, stdout, stderr, file, said: statSync(termination).isFile() ? readFileSync(termination, "utf8") : "" };
}

describe("a script", () => {
  test("is run by sh -e, as the file $0, its lines counted as they were written", () => {
    const { stdout, stderr, status, file } = run('echo "$0 $#"\n\nfalse\necho not reached\n');
    assert.deepEqual([stdout, status], [`${file} 0\n`, 1]);
    assert.equal(stderr, "");
    assert.match(run("\n\ncd /nowhere").stderr, /script: (line )?3: cd: /);
  });

  test("is run by what its first line names, with the rest of the line as one argument", () => {
    const args = join(directory, "show-arguments");
    writeFileSync(args, '#!/bin/sh\nfor word in "$@"; do echo "[$word]"; done\n');
    chmodSync(args, 0o555);
    for (const [first, argument] of [
      [`#!${args}`, []],
      [`#! \t${args} \t`, []],
      [`#!${args} -u`, ["[-u]"]],
      [`#!${args}  -x 'a b'  c `, ["[-x 'a b'  c]"]],
    ] as const) {
      const { stdout, file } = run(`${first}\nexit 1\n`);
      assert.deepEqual(stdout.trimEnd().split("\n"), [...argument, `[${file}]`], first);
    }
  });

  const interpreters: [first: string, command: string[], needs: string][] = [
    ["exit 0", ["/bin/sh", "-e"], ""],
    ["#!", ["/bin/sh", "-e"], ""],
    ["#! \t", ["/bin/sh", "-e"], ""],
    ["#!/bin/bash -x", ["/bin/bash", "-x"], ""],
    ["#!/usr/bin/env", ["/usr/bin/env"], ""],
    ["#!/usr/bin/env bash", ["/usr/bin/env", "bash"], "bash"],
    ["#!/usr/bin/env odd-", ["/usr/bin/env", "odd-"], "odd-"],
    ["#!/usr/bin/env -S bash -x", ["/usr/bin/env", "-S bash -x"], ""],
    ["#!/usr/bin/env A=b bash", ["/usr/bin/env", "A=b bash"], ""],
  ];
  for (const [first, command, needs] of interpreters) {
    test(`that begins with ${JSON.stringify(first)} is run by ${command.join(" ")}${needs === "" ? "" : `, and ${needs} must be there`}`, () => {
      const files = { script: "/script", result: "/result", termination: "/termination" };
      const rendered = renderScript(`${first}\nexit 1\n`, POD, files).command ?? [];
      assert.deepEqual(rendered.slice(4), ["/result", "/termination", needs, ...command, "/script"]);
    });
  }

  test("goes on after a command that failed where its first line has no -e", () => {
    assert.deepEqual([run("#!/bin/sh\nfalse\necho on").stdout, run("#!/bin/sh -e\nfalse\necho on").stdout], ["on\n", ""]);
  });

  test("of bash has what bash has", { skip: !HAS_BASH && "no bash here" }, () => {
    assert.equal(run("#!/bin/bash\nif [[ master == m* ]]; then exit 3; fi").status, 3);
    assert.equal(run("#!/usr/bin/env bash\nset -o pipefail\n{ echo failed; exit 4; } | cat").status, 4);
  });

  for (const [first, program] of [
    ["#!/opt/none/bin/bash", "/opt/none/bin/bash"],
    ["#!/usr/bin/env none-such", "none-such"],
    ["#!/usr/bin/env bash -x", "bash -x"],
    ["#!/tmp", "/tmp"],
  ] as const) {
    test(`says that its interpreter is missing: ${first}`, () => {
      const { status, said, stderr } = run(`${first}\nexit 0\n`);
      assert.deepEqual(
        [status, said, stderr],
        [
          127,
          `CONFIG_ERROR - the interpreter ${program} of the script is not in the image\n`,
          `the interpreter ${program} of the script is not in the image\n`,
        ],
      );
    });
  }

  test("has nothing expanded by Kubernetes or anybody else", () => {
    const script = "cat <<'END'\n$(HOME) $$ $HOME `id` \\n\nEND\n";
    assert.equal(run(script).stdout, "$(HOME) $$ $HOME `id` \\n\n");
    const words = renderScript("exit 0", POD, { script: "/$(A)", result: "r", termination: "t" }).command ?? [];
    for (const word of words) assert.doesNotMatch(word, /(?<!\$)(\$\$)*\$(?!\$)/);
  });

  test("finds programs below HOME first, and the working directory never", () => {
    const pathOf = (env: Record<string, string>) => run("#!/bin/sh\n/usr/bin/env | /bin/grep ^PATH=", { env }).stdout.trim();
    assert.equal(pathOf({ HOME: "/workspace", PATH: "/usr/local/bin:/bin" }), "PATH=/workspace/.local/bin:/usr/local/bin:/bin");
    assert.equal(pathOf({ HOME: "/workspace", PATH: "" }), "PATH=/workspace/.local/bin");
  });

  test("inherits the environment as it is, whatever its variables are called", () => {
    const env = { result: "1", code: "2", program: "3", line: "4", IFS: "-", stopping: "1", needs: "/none" };
    const seen = run("#!/bin/sh\nenv", { env }).stdout.split("\n");
    for (const [name, value] of Object.entries(env)) assert.ok(name === "IFS" || seen.includes(`${name}=${value}`), name);
    assert.deepEqual(
      seen.filter((line) => /^TH_/.test(line)),
      [],
    );
  });

  test("ends with what it ended with, signals included, and its children may be interrupted", () => {
    assert.equal(run("exit 77").status, 77);
    assert.equal(run("kill -SEGV $$").status, 139);
    assert.equal(run("kill -KILL $$").status, 137);
    assert.equal(run("sh -c 'kill -INT $$'; exit 0").status, 130);
  });
});

describe("the result file", () => {
  const lines = (count: number) =>
    Array.from({ length: count }, (_, index) => `  test_module_${index}: expected ${index} but was 0`).join("\n");

  test("is handed over from its beginning, whatever its size", () => {
    const { status, said } = run(`cat > "$FILE" <<'END'\n60 of 812 tests failed\n${lines(600)}\nEND\nexit 1\n`);
    assert.equal(status, 1);
    assert.ok(said.startsWith("ended 1\n60 of 812 tests failed\n"), said);
    assert.ok(said.length <= 530);
  });

  test("needs no line end", () => {
    assert.equal(run('printf "no line end" > "$FILE"; exit 1').said, "ended 1\nno line end");
    assert.equal(run('head -c 1000000 /dev/zero | tr "\\0" x > "$FILE"; exit 1').said, `ended 1\n${"x".repeat(512)}`);
  });

  test("keeps what was said otherwise where it is empty or not there", () => {
    assert.equal(run(': > "$FILE"; echo otherwise > "$MESSAGE"; exit 1').said, "ended 1\notherwise");
    assert.equal(run('echo otherwise > "$MESSAGE"; exit 1').said, "ended 1\notherwise");
  });

  test("may be a directory, a FIFO or nobody's to read: the exit code stands", () => {
    assert.deepEqual(run("exit 5", { result: (file) => mkdirSync(file) }).status, 5);
    assert.deepEqual(run("exit 6", { result: (file) => void spawnSync("mkfifo", [file]) }).status, 6);
    assert.deepEqual(run('echo x > "$FILE"; chmod 0 "$FILE"; exit 7').status, 7);
  });

  test("is read where the image has no `head`", () => {
    const bin = mkdtempSync(join(directory, "bin-"));
    assert.equal(run('echo one > "$FILE"; echo two >> "$FILE"; exit 1', { env: { PATH: bin, HOME: bin } }).said, "ended 1\none");
  });
});

describe("the end of a script", () => {
  test("is told by its runner, whatever it was", () => {
    for (const [script, code] of [
      ["exit 0", 0],
      ["exit 255", 255],
      ["exit 137", 137],
      ["kill -KILL $$", 137],
      ["kill -SEGV $$", 139],
    ] as const) {
      const { status, said } = run(script);
      assert.deepEqual([status, said], [code, `ended ${code}\n`], script);
    }
  });

  test("is told behind what the script itself has told, and in its place", () => {
    assert.equal(run('printf "ended 0\\n" > "$MESSAGE"; exit 255').said, "ended 255\nended 0");
    assert.ok(run('head -c 1000000 /dev/zero | tr "\\0" x > "$MESSAGE"; exit 255').said.startsWith("ended 255\nxxx"));
  });

  test("is told by no runner whose script could not be begun, or that is killed", () => {
    assert.doesNotMatch(run("#!/opt/none/bin/bash\nexit 0\n").said, /^ended/);
    // Not PID 1 here, as where the pod's containers share their process namespace.
    const { said, status } = run("kill -KILL $PPID; exit 255", { pod: { ...POD, shareProcessNamespace: true } });
    assert.deepEqual([said, status], ["", null]);
  });

  for (const [what, log] of [
    ["cannot be written", (file: string) => mkdirSync(file)],
    ["has no room", (file: string) => symlinkSync("/dev/full", file)],
  ] as const) {
    test(`is what it was where the termination message ${what}`, () => {
      for (const code of [0, 3, 255]) assert.equal(run(`echo x > "$FILE"; exit ${code}`, { log }).status, code);
    });
  }
});

describe("TERM", () => {
  const files = { script: "/script", result: "/result", termination: "/termination" };

  for (const shared of [{ hostPID: true }, { shareProcessNamespace: true }]) {
    test(`is passed on to nobody where others' processes would get it: ${JSON.stringify(shared)}`, () => {
      assert.doesNotMatch(renderScript("exit", { ...POD, ...shared }, files).command?.[2] ?? "", /trap|kill/);
      assert.equal(run("exit 3", { pod: { ...POD, ...shared } }).status, 3);
    });
  }
});
