import { createReadStream } from "node:fs";
import { isScalar, Scalar, visit } from "yaml";
import { coerceError, InputError } from "../runtime/errors.ts";
import { readStream } from "./read-stream.ts";
import { parseYaml, readYaml, type YamlSource } from "./yaml-documents.ts";

/** The `yaml` package looks through all aliases for each. */
const MAX_ALIASES = 20_000;
/** A layout may name the same jobs for each of its projects; what reads the value bounds its own steps. */
const MAX_ALIASES_OF_ONE = 100_000;

/**
 * The one document of a YAML file. What has a tag of somebody's own, such as `!include-raw: file` of Jenkins Job Builder, is an object of the
 * tag and its text. Rejects with an InputError that names the place in the file.
 */
export async function readYamlFile(path: string): Promise<unknown> {
  const fail = (message: string) => new InputError(`${path}: ${message}`);
  const [source, second] = parseYaml(await readText(path));
  if (!source) throw fail("is empty");
  if (second) throw fail("holds more than one document (---); Zuul and Jenkins Job Builder read none of such a file");
  markOwnTags(source);
  if (countAliases(source) > MAX_ALIASES) throw fail(`has more than ${MAX_ALIASES} aliases (*name)`);
  const read = readYaml(source, MAX_ALIASES_OF_ONE);
  if ("value" in read) return read.value;
  const [fault] = read.faults;
  const { line, col } = source.lineCounter.linePos(fault?.offset ?? 0);
  throw new InputError(`${path}:${Math.max(1, line)}:${Math.max(1, col)}: ${fault?.message ?? "cannot be read"}`);
}

function markOwnTags({ document, text }: YamlSource): void {
  visit(document, {
    Node(_key, node) {
      const { tag, range } = node as { tag?: string; range?: readonly number[] | null };
      if (!tag?.startsWith("!")) return undefined;
      const written = isScalar(node) ? String(node.value) : text.slice(range?.[0] ?? 0, range?.[1] ?? 0);
      return new Scalar({ [tag]: written });
    },
  });
}

function countAliases({ document }: YamlSource): number {
  let count = 0;
  visit(document, { Alias: () => void count++ });
  return count;
}

async function readText(path: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await readStream(createReadStream(path)));
  } catch (thrown) {
    const { code, message } = coerceError(thrown) as NodeJS.ErrnoException;
    const why = { ENOENT: "no such file", EISDIR: "is a directory", ERR_ENCODING_INVALID_ENCODED_DATA: "is not UTF-8 text" }[code ?? ""];
    throw new InputError(`${path}: ${why ?? message}`, { cause: thrown });
  }
}
