import type { CommandWords, Follows } from "./command-words.ts";

/** https://fishshell.com/docs/current/cmds/complete.html */
export function renderFish(program: string, commands: readonly CommandWords[]): string {
  const lines = commands.flatMap((command) => {
    const seen = `__fish_seen_subcommand_from ${command.name}`;
    const seenMore = `__fish_seen_subcommand_from ${command.subcommands.map(({ name }) => name).join(" ")}`;
    const own = command.subcommands.length === 0 ? seen : `${seen}; and not ${seenMore}`;
    return [
      `complete -c ${program} -n __fish_use_subcommand -a ${command.name} -d ${quote(command.description)}`,
      ...renderWords(`complete -c ${program} -n '${own}'`, command),
      ...command.subcommands.flatMap((subcommand) => [
        `complete -c ${program} -n '${own}' -a ${subcommand.name} -d ${quote(subcommand.description)}`,
        ...renderWords(`complete -c ${program} -n '${seen}; and __fish_seen_subcommand_from ${subcommand.name}'`, subcommand),
      ]),
    ];
  });
  return [`# fish completion of ${program}:  ${program} completion fish | source`, `complete -c ${program} -f`, ...lines, ""].join("\n");
}

function renderWords(within: string, { argument, options }: CommandWords): string[] {
  return [
    ...(argument.kind === "file" ? [`${within} -F`] : []),
    ...(argument.kind === "words" ? [`${within} -a ${quote(argument.words.join(" "))}`] : []),
    ...options.map(
      ({ flags, description, follows }) => `${within} ${flags.map(flagOf).join(" ")}${follow(follows)} -d ${quote(description)}`,
    ),
  ];
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
