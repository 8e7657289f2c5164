import type { CodeLine } from "./shell-code.ts";

/** Commands that do something and ask nothing: one that fails has broken the test. */
const STEP = new RegExp(
  String.raw`^\s*(?:[A-Za-z_]\w*=\S*\s+)*(?:sudo\s+)?(?<step>${[
    "cd|make|cmake|ninja|tox|nox|pytest|stestr|mvn|gradle|virtualenv|[.]/gradlew|[.]/configure",
    String.raw`pip3?\s+install|(?:npm|yarn|pnpm)\s+(?:ci|install|test|run)|(?:cargo|go)\s+(?:build|test)|git\s+(?:clone|submodule)`,
    String.raw`(?:apt-get|apt|dnf|yum|apk)\s+(?:-\S+\s+)*(?:install|update|add)|python3?\s+(?:-m\s+(?:pytest|pip|unittest|tox|venv)|setup[.]py)`,
  ].join("|")})(?=\s|$)`,
);
const ASKS = /\bmake\s+-q\b|\s--(?:question|dry-run|check|version|help)\b/;
/** Whoever ends a list of commands so means it as a condition. */
const LEAVES = /&&\s*(?:exit|return|break|continue)\b/;
/** Where the list is not the whole line, it may be part of something whose end is looked at. */
const MORE_THAN_A_LIST = /\|\||[;(){}`!]|(?<![&>])&(?![&>\d])/;

/**
 * The first line `step && more` of a script run with `-e` that is not its last one: `-e` passes over the failure of any command before `&&`
 * (POSIX, set -e), so that the rest of the script decides. Within functions and compound commands it is not looked for.
 */
export function findUnnoticedStep(code: readonly CodeLine[]): { line: number; step: string } | undefined {
  const lines = code
    .map(({ line, code: text }) => ({ line, text: text.replace(/\$\{[^}]*\}/g, "_").trim() }))
    .filter(({ text }) => text !== "");
  let depth = 0;
  for (const [index, { line, text }] of lines.entries()) {
    const next = lines[index + 1]?.text;
    const [first = "", ...rest] = text.split("&&");
    const step = rest.length > 0 && isListAlone(text) ? stepOf(first) : undefined;
    if (depth === 0 && step !== undefined && next !== undefined && next !== "exit") return { line, step };
    depth += opened(text);
  }
  return undefined;
}

function stepOf(command: string): string | undefined {
  return ASKS.test(command) || command.includes("|") ? undefined : STEP.exec(command)?.groups?.step;
}

function isListAlone(text: string): boolean {
  return !MORE_THAN_A_LIST.test(text) && !LEAVES.test(text);
}

/** How many compound commands begin on a line and do not end on it. Of the arms of a `case` nothing counts: they are within it. */
function opened(text: string): number {
  const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0;
  const begins = count(/(?<![^\s;&|(])(?:if|case|for|while|until|select|\{)(?=\s|$)/g);
  const ends = count(/(?<![^\s;&|(])(?:fi|esac|done|\})(?=[\s;&|)<>]|$)/g);
  const parentheses = /^[^()]*\)/.test(text) ? 0 : count(/\(/g) - count(/\)/g);
  return begins - ends + parentheses;
}
