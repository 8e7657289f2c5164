// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are the shell's
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildParts } from "../../../deploy/local/parts.ts";
import { ensureDebianPackages } from "../../../tools/machine/debian-packages.ts";
import { tellProgress } from "../../support/progress.ts";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));

/** What each real shell offers for a line, by the script that `turbo-hipster completion` prints for it. */
describe("turbo-hipster completion", () => {
  let directory: string;
  before(async () => {
    await ensureDebianPackages(["zsh", "fish"], tellProgress);
    directory = mkdtempSync(join(tmpdir(), "th-completion-"));
    writeFileSync(join(directory, "tasks of nova.yaml"), "");
    for (const shell of ["bash", "zsh", "fish", "kubectl"]) {
      writeFileSync(join(directory, shell), execFileSync(process.execPath, [MAIN, "completion", shell]));
    }
  });
  after(() => rmSync(directory, { recursive: true }));

  function run(command: string, ...args: string[]): string[] {
    const output = execFileSync(command, args, {
      ...{ cwd: directory, encoding: "utf8", timeout: 60_000 },
      // Only what is offered here, whoever runs the test.
      env: { PATH: process.env.PATH ?? "", HOME: directory, TERM: "dumb", XDG_CONFIG_HOME: directory },
    });
    return output.split("\n").filter((line) => line !== "");
  }

  /** By bash's own compgen -F, which sets nothing of readline's: file names are what it leaves to that. */
  function inBash(words: readonly string[]): string[] {
    const script = [
      "source ./bash",
      // It works within a completion of readline only.
      'compopt() { echo "compopt $*"; }',
      `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}) COMP_CWORD=${words.length - 1}`,
      "_turbo_hipster",
      'printf "%s\\n" "${COMPREPLY[@]}"',
    ];
    return run("bash", "--norc", "-c", script.join("\n"));
  }

  /** In a terminal of its own, as a person has it: what stands in the line after the tabulator. */
  function inZsh(line: string): string {
    const script = `
      zmodload zsh/zpty
      zpty shell 'PS1=">" zsh -f -i'
      zpty -w shell 'autoload -U compinit && compinit -u -D; unsetopt beep zle_bracketed_paste; source ./zsh; print r""eady'
      zpty -r shell seen '*ready*>'
      zpty -w -n shell ${quote(line)}$'\\t@'
      zpty -r shell seen '*@'
      zpty -d shell
      print -r -- "$seen"`;
    const seen = run("zsh", "-f", "-c", script).join("\n");
    // A blank that the next character may take away is written, gone back over and written again.
    return seen.slice(seen.lastIndexOf("turbo-hipster")).replaceAll("\u0007", "").replaceAll(" \b", "");
  }

  const inFish = (line: string) =>
    run("fish", "--no-config", "-c", `source ./fish; complete -C ${quote(line)}`).map((offer) => offer.split("\t")[0]);

  /** What kubectl itself offers behind `kubectl th`, and what its shell is to do besides: :0 files where nothing is offered, :4 nothing. */
  async function inKubectl(...words: readonly string[]): Promise<string[]> {
    const programs = await buildParts(["kubectl"], tellProgress);
    const plugins = mkdtempSync(join(directory, "plugins-"));
    copyFileSync(join(directory, "kubectl"), join(plugins, "kubectl_complete-th"));
    writeFileSync(join(plugins, "kubectl-th"), "#!/bin/sh\nexit 1\n");
    for (const file of readdirSync(plugins)) chmodSync(join(plugins, file), 0o755);
    return run("env", `PATH=${plugins}:${process.env.PATH}`, join(programs, "kubectl"), "__complete", "th", ...words);
  }

  test("offers the same behind kubectl th, by kubectl's own way", async () => {
    assert.deepEqual(await inKubectl("su"), ["submit", ":0"]);
    assert.deepEqual(await inKubectl("check", "--lo"), ["--log", ":0"]);
    assert.deepEqual(await inKubectl("import", "layout", "--jj"), ["--jjb", ":0"]);
    assert.deepEqual(await inKubectl("check", "--log", "ta"), [":0"]);
    assert.deepEqual(await inKubectl("submit", "--server", "ta"), [":4"]);
  });

  test("offers commands", () => {
    assert.deepEqual(inBash(["turbo-hipster", "su"]), ["submit"]);
    assert.ok(inBash(["turbo-hipster", ""]).includes("completion"));
    assert.deepEqual(inFish("turbo-hipster su"), ["submit"]);
    assert.match(inZsh("turbo-hipster su"), /^turbo-hipster submit @/);
  });

  test("offers the options of a command", () => {
    assert.deepEqual(inBash(["turbo-hipster", "check", "--lo"]), ["--log"]);
    assert.deepEqual(inFish("turbo-hipster check --lo"), ["--log"]);
    assert.match(inZsh("turbo-hipster check --lo"), /^turbo-hipster check --log @/);
  });

  test("offers what stands behind a command's name, beside files, and its options", () => {
    assert.deepEqual(inBash(["turbo-hipster", "import", "lay"]), ["compopt -o filenames", "layout"]);
    assert.deepEqual(inBash(["turbo-hipster", "import", "ta"]), ["compopt -o filenames", "tasks of nova.yaml"]);
    assert.deepEqual(inBash(["turbo-hipster", "import", "layout", "--j"]), ["--jjb"]);
    assert.deepEqual(inBash(["turbo-hipster", "import", "layout", "--ro"]), []);
    assert.deepEqual(inBash(["turbo-hipster", "import", "--ro"]), ["--root"]);
    assert.deepEqual(inFish("turbo-hipster import lay"), ["layout"]);
    assert.deepEqual(inFish("turbo-hipster import layout --j"), ["--jjb"]);
    assert.deepEqual(inFish("turbo-hipster import layout --ro"), []);
    assert.deepEqual(inFish("turbo-hipster import --ro"), ["--root"]);
    assert.match(inZsh("turbo-hipster import lay"), /^turbo-hipster import layout @/);
    assert.match(inZsh("turbo-hipster import ta"), /^turbo-hipster import tasks\\ of\\ nova\.yaml @/);
    assert.match(inZsh("turbo-hipster import layout --j"), /^turbo-hipster import layout --jjb @/);
    assert.match(inZsh("turbo-hipster import --ro"), /^turbo-hipster import --root @/);
  });

  test("offers the words that an argument may be", () => {
    assert.deepEqual(inBash(["turbo-hipster", "completion", ""]), ["bash", "zsh", "fish", "kubectl"]);
    assert.deepEqual(inFish("turbo-hipster completion z"), ["zsh"]);
    assert.match(inZsh("turbo-hipster completion f"), /^turbo-hipster completion fish @/);
  });

  test("offers files where a file is meant, and nothing where no shell can know", () => {
    // Nothing of its own: readline offers files, unless it is told not to.
    assert.deepEqual(inBash(["turbo-hipster", "check", "--log", "ta"]), []);
    assert.deepEqual(inBash(["turbo-hipster", "submit", "--server", "ta"]), ["compopt +o default"]);
    assert.deepEqual(inFish("turbo-hipster check --log ta"), ["tasks of nova.yaml"]);
    assert.deepEqual(inFish("turbo-hipster submit --server ta"), []);
    assert.match(inZsh("turbo-hipster validate ta"), /^turbo-hipster validate tasks\\ of\\ nova\.yaml @/);
    assert.match(inZsh("turbo-hipster submit --server ta"), /^turbo-hipster submit --server ta@/);
  });
});

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
