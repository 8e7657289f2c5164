import { renderBash } from "./bash.ts";
import type { CommandWords } from "./command-words.ts";

/** cobra's ShellCompDirectives Default, by which shells offer files where nothing is offered, and NoFileComp. */
const FILES = 0;
const NO_FILES = 4;

/**
 * The program that kubectl asks for its plugin `th`, whatever the shell: kubectl_complete-th, which is given the words behind `th` and
 * prints a line for each offer, then the directive (pkg/cmd/plugin/plugin_completion.go of k8s.io/kubectl). It asks bash's completion of
 * `program`.
 */
export function renderKubectl(program: string, commands: readonly CommandWords[]): string {
  return `#!/usr/bin/env bash
# kubectl's completion of its plugin th, executable on the PATH:  ${program} completion kubectl > kubectl_complete-th
${renderBash(program, commands)}
directive=${FILES}
compopt() { if [[ $* == "+o default" ]]; then directive=${NO_FILES}; fi; }
COMP_WORDS=(${program} "$@") COMP_CWORD=$#
_${program.replaceAll(/\W/g, "_")}
printf '%s\\n' "\${COMPREPLY[@]}" ":$directive"
`;
}
