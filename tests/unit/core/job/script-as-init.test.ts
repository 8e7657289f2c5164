import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { renderScript } from "../../../../src/core/job/script.ts";

const UNSHARE = ["unshare", ...(process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"])];
/** A process namespace of its own, whose PID 1 leads a process group as a container's does. */
const AS_INIT = [...UNSHARE, "--pid", "--fork", "--kill-child", "--mount-proc", "setsid"];
const SHELLS = ["/bin/dash", "/bin/bash", "/bin/busybox"].filter((shell) => existsSync(shell));

let directory: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), "th-init-"));
});
after(() => rmSync(directory, { recursive: true, force: true }));

function canUnshare(): boolean {
  const [command = "", ...args] = [...AS_INIT, "true"];
  return spawnSync(command, args).status === 0;
}

interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
  /** The termination message, a character for each byte. */
  said: string;
  /** What is left beside script, result and termination message. */
  left: string[];
}

/** As PID 1 of a container with that shell; `grace` in seconds, which `over` tells of in the file "over". */
function run(shell: string, script: string, { path = "/usr/bin:/bin", grace = 20, over = false } = {}): Ran {
  const place = mkdtempSync(join(directory, "run-"));
  const bin = join(place, "bin");
  mkdirSync(bin);
  symlinkSync(shell, join(bin, "sh"));
  const [file, result, termination] = ["script", "result", "termination"].map((name) => join(place, name)) as [string, string, string];
  writeFileSync(file, script);
  chmodSync(file, 0o555);
  const pod = { containers: [], terminationGracePeriodSeconds: grace };
  const { command: rendered = [] } = renderScript(script, pod, {
    ...{ script: file, result, termination },
    ...(over ? { graceOver: join(place, "over") } : {}),
  });
  const words = rendered.map((word) => word.replaceAll("$$", "$").replaceAll("/bin/sh", join(bin, "sh")));
  const [command = "", ...args] = [...AS_INIT, "/usr/bin/env", "-i", "HOME=/home/x", `PATH=${path}`, ...words];
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: place, encoding: "utf8", timeout: 20_000, killSignal: "SIGKILL" });
  const own = ["bin", "script", "result", "termination", "ready", "over"];
  const said = existsSync(termination) ? readFileSync(termination, "latin1") : "";
  return { status, stdout, stderr, said, left: readdirSync(place).filter((name) => !own.includes(name)) };
}

describe("a script whose runner is PID 1", { skip: !canUnshare() && "no process namespaces here" }, () => {
  for (const shell of SHELLS) {
    describe(`of ${basename(shell)}`, { concurrency: true }, () => {
      test("ends with what it ended with, and leaves nothing of the runner's", () => {
        for (const [script, status] of [
          ["exit 0", 0],
          ["exit 77", 77],
          ["kill -SEGV $$", 139],
          ["kill -TERM $$", 143],
          ["kill -KILL $$", 137],
          ["exit 137", 137],
          ["exit 255", 255],
        ] as const) {
          const ran = run(shell, script);
          assert.deepEqual([ran.status, ran.said, ran.left], [status, `ended ${status}\n`, []], script);
        }
      });

      test("prints and reads as the container does, and has no file of the runner's open", () => {
        const { stdout, stderr } = run(shell, 'echo out; echo err >&2; for fd in /proc/$$/fd/[3-9]; do readlink "$fd" || :; done; cat');
        assert.deepEqual([stdout.split("\n").filter((line) => !line.endsWith("/script")), stderr], [["out", ""], "err\n"]);
      });

      test("has no signal ignored in what it runs: it may be interrupted", () => {
        assert.match(run(shell, "#!/bin/sh\ngrep ^SigIgn: /proc/self/status; exit").stdout, /^SigIgn:\t0+\n$/);
      });

      test("ends by no signal that it handles itself, though it sends it to all of its group", () => {
        for (const signal of ["HUP", "INT", "QUIT", "PIPE", "ALRM", "USR1", "USR2", "TERM"]) {
          const { status, stdout } = run(shell, `trap 'echo handled' ${signal}; kill -${signal} 0; exit 9`);
          assert.deepEqual([status, stdout.startsWith("handled\n")], [9, true], signal);
        }
      });

      test("is killed when its keeper or all of it is", () => {
        for (const script of ["kill -KILL $PPID; while :; do sleep 1; done", "sh -c 'kill -KILL -1'; while :; do sleep 1; done"]) {
          const { status, said } = run(shell, script);
          assert.deepEqual([status, said], [137, "ended 137\n"]);
        }
      });

      test("cannot keep its runner from saying how it ended, by a KILL or by words", () => {
        const { status, said } = run(shell, 'kill -KILL 1 || :; echo "ended 0" > termination; exit 255');
        assert.deepEqual([status, said], [255, "ended 255\nended 0"]);
      });

      test("hands the first line of its result over, whatever it is as a whole", () => {
        const big = '{ echo "3 of 12 failed"; head -c 1000000 /dev/zero | tr "\\0" x; } > result; exit 255';
        assert.ok(run(shell, big).said.startsWith("ended 255\n3 of 12 failed\nxxx"));
        const bytes = 'i=1; while [ $i -lt 256 ]; do printf "\\\\$(printf %03o $i)"; i=$((i + 1)); done > result; exit 1';
        const all = Buffer.from(Array.from({ length: 255 }, (_, index) => index + 1)).toString("latin1");
        assert.equal(run(shell, bytes).said, `ended 1\n${all}`);
      });

      test("has its orphans taken in", () => {
        const orphans = 'for i in 1 2 3; do (sh -c "exec 8>fifo; exit" &); done; ';
        const count = 'for file in /proc/[0-9]*/status; do if grep -q "^State:.Z" "$file"; then echo zombie; fi; done 2>/dev/null; exit 4';
        // Each opens a FIFO that is read until the last has ended.
        const { status, stdout } = run(shell, `#!/bin/sh\nmkfifo fifo; ${orphans} cat fifo; sleep 0.3; rm fifo; ${count}`);
        assert.deepEqual([status, stdout], [4, ""]);
      });

      const child = `sh -c 'trap "echo child cleaned; exit" TERM; : > ready; while :; do sleep 0.01; done' &\nuntil [ -e ready ]; do sleep 0.01; done\n`;

      test("gets TERM with every process of it, and what cleans up longest is waited for", () => {
        const slow = child.replace("echo", "sleep 0.3; echo");
        const { status, stdout } = run(shell, `trap 'echo script cleaned; exit 3' TERM\n${slow}kill -TERM 1\nwait`);
        assert.deepEqual([status, stdout], [3, "script cleaned\nchild cleaned\n"]);
      });

      test("ends at once when nothing of it handles TERM, whatever it runs in the foreground", () => {
        const { status, stdout } = run(shell, "(kill -TERM 1) & sleep 600\necho not reached");
        assert.deepEqual([status, stdout], [143, ""]);
      });

      test("is waited for no longer than the grace by what handles TERM and stays", () => {
        const { status } = run(
          shell,
          `sh -c 'trap "" TERM; : > ready; sleep 600' &\nuntil [ -e ready ]; do sleep 0.01; done\nkill -TERM 1\nwait`,
          {
            grace: 1,
          },
        );
        assert.equal(status, 143);
      });

      const stays = "while :; do sleep 0.01; done";
      const told = "trap '' TERM\nmkfifo over\n(until [ -e ready ]; do sleep 0.01; done; echo over > over) &\n";

      test("is killed with all of it when its own grace is over, which the collector tells", () => {
        const { status, said, stdout } = run(shell, `${told}sh -c "${stays}" &\nkill -TERM 1; echo on; : > ready; ${stays}`, {
          over: true,
        });
        assert.deepEqual([status, said, stdout], [137, "ended 137\n", "on\n"]);
      });

      test("outlasts a TERM of its own, as long as nobody tells that a grace is over", () => {
        const outlasts = "i=30; while [ $i != 0 ]; do sleep 0.05 || :; i=$((i - 1)); done; exit 9";
        const own = `mkfifo over\ntrap 'echo handled' TERM; kill -TERM 1; kill -TERM 0; ${outlasts}`;
        const { status, stdout } = run(shell, own, { over: true, grace: 1 });
        assert.deepEqual([status, stdout.startsWith("handled\n")], [9, true]);
      });

      test("ends as soon as it has cleaned up, without a word that its grace is over", () => {
        const cleans = "trap 'exit 3' TERM; kill -TERM 1; sleep 5";
        assert.equal(run(shell, `mkfifo over\n${cleans}`, { over: true, grace: 600 }).status, 3);
        assert.equal(run(shell, cleans, { over: true, grace: 600 }).status, 3, "nor where there is no collector");
      });

      test("gets TERM where the image has no mkfifo, too", () => {
        const path = mkdtempSync(join(directory, "bin-"));
        for (const name of ["sh", "sleep"]) symlinkSync(name === "sh" ? shell : "/bin/sleep", join(path, name));
        const { status, stdout } = run(shell, `trap 'echo script cleaned; exit 3' TERM\n${child}kill -TERM 1\nwait`, { path });
        assert.deepEqual([status, stdout.split("\n").sort()], [3, ["", "child cleaned", "script cleaned"]]);
        assert.equal(run(shell, "exit 7", { path }).status, 7);
      });
    });
  }
});
