import { InvalidArgumentError, Option } from "commander";
import { printable } from "./printable.ts";

/** `-f FILE`, which who comes from kubectl writes: refused, with what `command` takes instead. In no help. */
export function filenameOption(command: string): Option {
  return new Option("-f, --filename <file>").hideHelp().argParser((file) => {
    throw new InvalidArgumentError(`Files are named without it: turbo-hipster ${command} ${printable(file)}`);
  });
}
