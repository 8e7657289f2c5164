import { type CodeLine, readShellCode } from "./shell-code.ts";
import { findUnnoticedStep } from "./unnoticed-steps.ts";

/** Something in a script that may well not do what its author meant. */
export interface ScriptWarning {
  /** Line of the script, counted from 1. */
  line: number;
  message: string;
}

/** Where /bin/sh is bash, or takes much of what bash does: by a name within the image's. */
const IMAGES_WITH_MORE = /alpine|busybox|fedora|centos|rocky|alma|\bubi|redhat|rhel|suse|amazonlinux|archlinux/i;

const BASH = "begin with #!/bin/bash -e";
/** Where a command may begin. */
const COMMAND = String.raw`(?:^|[;&|({!\x60]|\$\(|\b(?:if|elif|while|until|then|do|else|time)\s)\s*`;

/** What bash takes and `sh` does not have to: what happens then, in the shell of Debian and Ubuntu. */
const BASHISMS: readonly [pattern: RegExp, what: string][] = [
  [new RegExp(String.raw`${COMMAND}\[\[\s`), "[[ is not found there, and a condition takes that for no, silently"],
  [/&>(?!&)/, "&> there runs the command in the background, and its end counts for nothing"],
  [new RegExp(String.raw`${COMMAND}(?:if\s+)?\[ [^\]]*(?<![=!<>])==`), "== in [ ] is an error there, and a condition takes that for no"],
  [new RegExp(String.raw`${COMMAND}set\s+(?:-\S+\s+)*-\S*o\s+pipefail\b`), "pipefail is not there, and ends the script"],
  [new RegExp(String.raw`${COMMAND}source\s+\S`), "source is not found there (a dot is)"],
  [new RegExp(String.raw`${COMMAND}(?:pushd|popd|shopt|declare|mapfile|readarray)\b`), "it is not found there"],
  [/<<</, "<<< is a syntax error there"],
  [/[<>]\(/, "<( ) is a syntax error there"],
  [new RegExp(String.raw`${COMMAND}[A-Za-z_]\w*\+?=\(`), "arrays are a syntax error there"],
  [new RegExp(String.raw`${COMMAND}function\s+\w`), "function is a syntax error there (name() { is none)"],
];

/** A program that ends with 0 whatever it reads, and shows what it read: what comes before it is what matters. */
const READER_LAST = /\|&?\s*(?:tee(?:\s[^|;&]*)?|(?:cat|ts|tail)(?:\s[^|;&>]*)?)$/;
/** What can't fail in a way that anybody wants to know. */
const HARMLESS =
  /^(?:\s*[A-Za-z_]\w*=\S*)*\s*(?:echo|printf|cat|env|date|ls|uname|yes|id|which|ps|df|free|pip freeze|printenv|set|dpkg|rpm)\b/;

/** Warnings of a script, by its text alone. `image`: where it runs, as far as that is known. Few false alarms rather than all mistakes. */
export function scriptWarnings(script: string, image: string | undefined): ScriptWarning[] {
  const [first = ""] = script.split("\n", 1);
  const warnings = script.includes("\r\n") ? [windowsEnds(script)] : [];
  const late = lateFirstLine(script);
  if (late) return [...warnings, late];
  const shell = first.startsWith("#!") ? interpreterOf(first) : "sh";
  if (!/^(?:ba|da|a|k|z)?sh$/.test(shell)) return warnings;
  const code = readShellCode(script.replaceAll("\r\n", "\n"));
  if (shell === "sh" && !IMAGES_WITH_MORE.test(image ?? "") && !/\bBASH_VERSION\b/.test(script))
    warnings.push(...bashisms(code, first.startsWith("#!")));
  warnings.push(...unnoticed(code, script));
  warnings.push(...ends(code));
  const remedy = shell === "sh" || shell === "dash" ? "begin with #!/bin/bash, then set -eo pipefail" : "set -o pipefail";
  return [...warnings, ...pipes(code, remedy)];
}

function windowsEnds(script: string): ScriptWarning {
  const line = script.slice(0, script.indexOf("\r\n")).split("\n").length;
  return { line, message: "lines end as on Windows: the last word of each has a carriage return too much; save it with LF" };
}

/** A line `#!` behind blank ones, comments or a byte order mark, which nobody obeys. */
function lateFirstLine(script: string): ScriptWarning | undefined {
  const lines = script.split("\n");
  const index = lines.findIndex((line) => !/^\s*(?:#(?!!).*)?$/.test(line));
  const line = lines[index] ?? "";
  if (script.startsWith("#!") || !/^\s*#!\s*\//.test(line)) return undefined;
  return { line: index + 1, message: "#! counts as the first two characters of the script alone: sh runs it; remove what is before them" };
}

/** Where nothing that a script does can make it fail. */
function ends(code: readonly CodeLine[]): ScriptWarning[] {
  const last = code.findLast(({ code: text }) => text.trim() !== "");
  if (!last) return [{ line: 1, message: "there is no command in it, and a test that does nothing is SUCCESS" }];
  const text = last.code.trim();
  if (!/(?<![&|<>])&$|(?:^|[;&]\s*)wait$/.test(text)) return [];
  const message = 'the script ends well whatever becomes of what runs in the background; end with wait for each of these: wait "$pid"';
  return [{ line: last.line, message }];
}

/** `bash` of `#!/usr/bin/env -S bash -e`. */
function interpreterOf(first: string): string {
  const names = first
    .slice(2)
    .trim()
    .split(/\s+/)
    .map((word) => word.replace(/^.*\//, ""))
    .filter((word) => word !== "env" && !word.startsWith("-") && !word.includes("="));
  return names[0] ?? "";
}

function bashisms(code: readonly CodeLine[], isNamed: boolean): ScriptWarning[] {
  const who = isNamed ? "the script asks for sh" : "without a first line #! it is run by sh";
  for (const { line, code: text } of code) {
    const found = BASHISMS.find(([pattern]) => pattern.test(text));
    // One is enough: the remedy is the same for all.
    if (found) return [{ line, message: `${who}, which need not be bash: ${found[1]}; ${BASH}` }];
  }
  return [];
}

/** `-e` as it is given to a shell or to `set`: -e, -eux, -o errexit. */
const ERREXIT = /\s-[A-Za-z]*e[A-Za-z]*(?=\s|$)|\s-[A-Za-z]*o\s+errexit\b/;
const SET = new RegExp(String.raw`${COMMAND}set(\s[^;&|]*)`);
/** Whoever looks at these means to go on. */
const OWN_WAY = /\$\?|\$\{\?|\bPIPESTATUS\b|\btrap\b.*\bERR\b/;
/** Words that a line may begin with and that do not fail, or whose failure is no command's. */
const SHELL_WORDS = new Set(
  "then do else fi done esac in { } ( ) ;; : true false export readonly local declare typeset unset shopt set trap alias umask exit return function".split(
    " ",
  ),
);

/** Under a first line without -e, a script goes on after a command that failed; with it, after one that failed before `&&`. */
function unnoticed(code: readonly CodeLine[], script: string): ScriptWarning[] {
  const lines = code.map(({ line, code: text }) => ({ line, text: text.trim() })).filter(({ text }) => text !== "");
  const [first = ""] = script.split("\n", 1);
  if (OWN_WAY.test(script)) return [];
  if (!first.startsWith("#!") || ERREXIT.test(first) || lines.some(({ text }) => ERREXIT.test(SET.exec(text)?.[1] ?? "")))
    return /\bset\s+\+[A-Za-z]*[eo]/.test(script) ? [] : unnoticedSteps(code);
  const missed = lines.slice(0, -1).find(({ text }) => isPlainCommand(text));
  if (!missed) return [];
  const message = `after a first line #! without -e the script goes on when a command fails, as on line ${missed.line}, and ends as its last one does; add set -e below`;
  return [{ line: 1, message }];
}

function unnoticedSteps(code: readonly CodeLine[]): ScriptWarning[] {
  const found = findUnnoticedStep(code);
  if (!found) return [];
  const message = `the script goes on when ${found.step} fails: -e passes over what fails before &&; write each command on a line of its own`;
  return [{ line: found.line, message }];
}

/** Neither says itself what its failure means nor belongs to what does. Texts between quotation marks are `_`. */
function isPlainCommand(text: string): boolean {
  if (/\|\||&&|&$/.test(text) || isCondition(text) || HARMLESS.test(text)) return false;
  const isBranchOrFunction = /^(?:case|for|select)\s|^[^()]*\)|^[\w-]+\s*\(\)/.test(text);
  const [word = ""] = text.replace(/^(?:[A-Za-z_]\w*\+?=\S*\s*)+/, "").split(/[\s;]/, 1);
  return !isBranchOrFunction && !/^_*$/.test(word) && !SHELL_WORDS.has(word);
}

function pipes(code: readonly CodeLine[], remedy: string): ScriptWarning[] {
  if (code.some((line) => /\bpipefail\b|\bPIPESTATUS\b/.test(line.code))) return [];
  return code.flatMap(({ line, code: text }) => {
    // What is read into a variable, and what says itself that its end does not matter, is left alone.
    if (/\$\(|`|\|\|/.test(text)) return [];
    const commands = text.split(/;|&&|\bthen\b|\bdo\b|[{}]/);
    const hides = (command: string) => READER_LAST.test(command) && !HARMLESS.test(command) && !isCondition(command);
    if (!commands.some(hides)) return [];
    return [{ line, message: `a pipe ends as its last command does, whatever those before it did; ${remedy}` }];
  });
}

function isCondition(command: string): boolean {
  return /^\s*(?:if|elif|while|until|!)\s/.test(command);
}
