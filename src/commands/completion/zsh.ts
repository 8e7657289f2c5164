import type { CommandWords, Follows } from "./command-words.ts";

/** To be sourced after compinit, or kept as `_turbo-hipster` in a directory of fpath. */
export function renderZsh(program: string, commands: readonly CommandWords[]): string {
  const name = `_${program.replaceAll(/\W/g, "_")}`;
  const cases = commands.flatMap((command) => [
    renderCase(command.name, command),
    ...command.subcommands.map((subcommand) => renderCase(`${command.name} ${subcommand.name}`, subcommand)),
  ]);
  const pairs = commands.flatMap(({ name: command, subcommands }) =>
    subcommands.map((subcommand) => quote(`${command} ${subcommand.name}`)),
  );
  return `#compdef ${program}
# zsh completion of ${program}, after compinit:  source <(${program} completion zsh)
${name}() {
  local -a commands=(${commands.map(({ name: command, description }) => quote(`${command}:${description}`)).join(" ")})
  if ((CURRENT == 2)); then
    _describe -t commands command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  if ((CURRENT > 2)); then
    case "$command $words[2]" in
      ${pairs.join("|")}) command+=" $words[2]"; shift words; ((CURRENT--)) ;;
    esac
  fi
  case $command in
${cases.join("\n")}
  esac
}
if [[ $funcstack[1] == ${quote(`_${program}`)} ]]; then ${name} "$@"; else compdef ${name} ${program}; fi
`;
}

function renderCase(command: string, { options, argument, subcommands }: CommandWords): string {
  const specs = options.flatMap(({ flags, description, follows }) =>
    flags.map((flag) => quote(`*${flag}[${escapeSpec(description)}]${action(follows)}`)),
  );
  const names = subcommands.map(({ name }) => name).join(" ");
  // Files may stand where a subcommand's name does.
  const first = names === "" ? [] : [quote(`1: :{_alternative "commands:command:(${names})" "files:file:_files"}`)];
  return `    ${quote(command)}) _arguments ${[...specs, ...first, quote(`*${action(argument) || ":: :"}`)].join(" ")} ;;`;
}

/** https://zsh.sourceforge.io/Doc/Release/Completion-System.html#Completion-Functions, _arguments */
function action(follows: Follows): string {
  if (follows.kind === "nothing") return "";
  if (follows.kind === "words") return `:word:(${follows.words.join(" ")})`;
  return follows.kind === "file" ? ":file:_files" : ": : ";
}

function escapeSpec(text: string): string {
  return text.replaceAll(/[[\]:\\]/g, "\\$&");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
