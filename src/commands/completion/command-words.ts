import type { Command, Option } from "commander";

/** What follows an option: nothing, a file's name, one of a few words, or what no shell can know. */
export type Follows = { kind: "nothing" | "file" | "anything" } | { kind: "words"; words: readonly string[] };

interface OptionWords {
  /** `-l` and `--log`; long ones always come. */
  flags: readonly string[];
  description: string;
  follows: Follows;
}

/** What can be written after a command's name. */
export interface CommandWords {
  name: string;
  description: string;
  options: readonly OptionWords[];
  /** What its arguments are. */
  argument: Follows;
  /** What has a name of its own behind this one, such as `layout` of `import layout`; these have none. */
  subcommands: readonly CommandWords[];
}

/** As the commands' own help tells it, so that a completion can't be older than the program. */
export function readCommandWords(commands: readonly Command[]): CommandWords[] {
  return commands.map((command) => {
    const [argument] = command.registeredArguments;
    return {
      name: command.name(),
      description: firstClause(command.description()),
      options: [
        ...command.options.filter(({ hidden }) => !hidden).map(optionWords),
        { flags: ["--help"], description: "display help for command", follows: { kind: "nothing" } as const },
      ],
      argument: argument === undefined ? { kind: "nothing" } : followsPlaceholder(argument.name(), argument.argChoices),
      subcommands: readCommandWords(command.commands),
    };
  });
}

function optionWords({ short, long, description, flags, argChoices }: Option): OptionWords {
  const [, placeholder] = /[<[]([^>\]]+)[>\]]/.exec(flags) ?? [];
  return {
    flags: [short, long].filter((flag) => flag !== undefined),
    description: firstClause(description),
    follows: placeholder === undefined ? { kind: "nothing" } : followsPlaceholder(placeholder, argChoices),
  };
}

function followsPlaceholder(placeholder: string, choices: readonly string[] | undefined): Follows {
  if (choices) return { kind: "words", words: choices };
  return { kind: /file|directory|config$/.test(placeholder) ? "file" : "anything" };
}

/** A list has one short line for each. */
function firstClause(description: string): string {
  return description.split(/[;,:(]/, 1)[0]?.trim() ?? "";
}
