import type { CommandWords, Follows } from "./command-words.ts";

/** To be sourced after compinit, or kept as `_turbo-hipster` in a directory of fpath. */
export function renderZsh(program: string, commands: readonly CommandWords[]): string {
  const name = `_${program.replaceAll(/\W/g, "_")}`;
  const cases = commands.map(({ name: command, options, argument }) => {
    const specs = options.flatMap(({ flags, description, follows }) =>
      flags.map((flag) => quote(`*${flag}[${escapeSpec(description)}]${action(follows)}`)),
    );
    return `    ${command}) _arguments ${[...specs, quote(`*${action(argument) || ":: :"}`)].join(" ")} ;;`;
  });
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
  case $command in
${cases.join("\n")}
  esac
}
if [[ $funcstack[1] == ${quote(`_${program}`)} ]]; then ${name} "$@"; else compdef ${name} ${program}; fi
`;
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
