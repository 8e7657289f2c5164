import type { CommandWords, Follows } from "./command-words.ts";

/** Needs bash alone, not the package bash-completion. Where nothing is offered, and files fit, readline completes file names by itself. */
export function renderBash(program: string, commands: readonly CommandWords[]): string {
  const name = `_${program.replaceAll(/\W/g, "_")}`;
  const cases = commands.flatMap((command) => [
    ...renderCase(command.name, command),
    ...command.subcommands.flatMap((subcommand) => renderCase(`${command.name} ${subcommand.name}`, subcommand)),
  ]);
  const pairs = commands.flatMap(({ name: command, subcommands }) => subcommands.map((subcommand) => `"${command} ${subcommand.name}"`));
  return `# bash completion of ${program}:  source <(${program} completion bash)
${name}() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]} words=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "${commands.map((command) => command.name).join(" ")} --help --version" -- "$word"))
    return
  fi
  if ((COMP_CWORD > 2)); then
    case "$command \${COMP_WORDS[2]}" in
      ${pairs.join("|")}) command+=" \${COMP_WORDS[2]}" ;;
    esac
  fi
  case $command in
${cases.join("\n")}
  esac
  [[ -z $words ]] || COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F ${name} ${program}
`;
}

function renderCase(command: string, { options, argument, subcommands }: CommandWords): string[] {
  const names = subcommands.map(({ name }) => name).join(" ");
  return [
    `    "${command}")`,
    "      case $before in",
    ...options
      .filter(({ follows }) => follows.kind !== "nothing")
      .map(({ flags, follows }) => `        ${flags.join("|")}) ${offer(follows)} return ;;`),
    "      esac",
    `      if [[ $word == -* ]]; then words="${options.flatMap(({ flags }) => flags).join(" ")}";`,
    ...(names === "" ? [] : [`      elif ((COMP_CWORD == 2)); then ${offerBeside(names)}`]),
    `      else ${offer(argument)} fi ;;`,
  ];
}

/** Names of subcommands, and the files that may stand in their place. */
function offerBeside(names: string): string {
  return `compopt -o filenames; mapfile -t COMPREPLY < <(compgen -W "${names}" -- "$word"; compgen -f -- "$word");`;
}

function offer(follows: Follows): string {
  if (follows.kind === "words") return `COMPREPLY=($(compgen -W "${follows.words.join(" ")}" -- "$word"));`;
  return follows.kind === "file" ? ":;" : "compopt +o default;";
}
