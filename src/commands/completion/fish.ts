import type { CommandWords, Follows } from "./command-words.ts";

/** https://fishshell.com/docs/current/cmds/complete.html */
export function renderFish(program: string, commands: readonly CommandWords[]): string {
  const lines = commands.flatMap(({ name, description, options, argument }) => {
    const within = `complete -c ${program} -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c ${program} -n __fish_use_subcommand -a ${name} -d ${quote(description)}`,
      ...(argument.kind === "file" ? [`${within} -F`] : []),
      ...(argument.kind === "words" ? [`${within} -a ${quote(argument.words.join(" "))}`] : []),
      ...options.map(
        ({ flags, description: what, follows }) => `${within} ${flags.map(flagOf).join(" ")}${follow(follows)} -d ${quote(what)}`,
      ),
    ];
  });
  return [`# fish completion of ${program}:  ${program} completion fish | source`, `complete -c ${program} -f`, ...lines, ""].join("\n");
}

function flagOf(flag: string): string {
  return flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`;
}

function follow(follows: Follows): string {
  if (follows.kind === "nothing") return "";
  if (follows.kind === "words") return ` -x -a ${quote(follows.words.join(" "))}`;
  return follows.kind === "file" ? " -r -F" : " -x";
}

function quote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
}
