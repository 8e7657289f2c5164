import type { CommandWords, Follows } from "./command-words.ts";

/** Needs bash alone, not the package bash-completion. Where nothing is offered, and files fit, readline completes file names by itself. */
export function renderBash(program: string, commands: readonly CommandWords[]): string {
  const name = `_${program.replaceAll(/\W/g, "_")}`;
  const cases = commands.flatMap(({ name: command, options, argument }) => [
    `    ${command})`,
    "      case $before in",
    ...options
      .filter(({ follows }) => follows.kind !== "nothing")
      .map(({ flags, follows }) => `        ${flags.join("|")}) ${offer(follows)} return ;;`),
    "      esac",
    `      if [[ $word == -* ]]; then words="${options.flatMap(({ flags }) => flags).join(" ")}"; else ${offer(argument)} fi ;;`,
  ]);
  return `# bash completion of ${program}:  source <(${program} completion bash)
${name}() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} words=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "${commands.map((command) => command.name).join(" ")} --help --version" -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join("\n")}
  esac
  [[ -z $words ]] || COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F ${name} ${program}
`;
}

function offer(follows: Follows): string {
  if (follows.kind === "words") return `COMPREPLY=($(compgen -W "${follows.words.join(" ")}" -- "$word"));`;
  return follows.kind === "file" ? ":;" : "compopt +o default;";
}
