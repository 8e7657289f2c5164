import { closeSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { type ImportNote, type OriginalSettings, overlaySettings, parseSettings } from "../core/import/original-configuration.ts";
import { type OriginalDataset, parseDataset } from "../core/import/original-dataset.ts";
import { coerceError, InputError } from "../runtime/errors.ts";

/** Far beyond any configuration or `config.json`. */
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_ENTRIES = 1000;

/**
 * A configuration of the original with the overlays of its `conf_d`, which is below `root`. The original took overlays in the order of the
 * directory, which is any; here it is that of their names. Throws InputError for a configuration that cannot be read.
 */
export function readOriginalSettings(file: string, root: string): { settings: OriginalSettings; notes: ImportNote[] } {
  const settings = readSettings(file);
  if (typeof settings === "string") throw new InputError(`${file}: ${settings}`);
  if (typeof settings.conf_d !== "string") return { settings, notes: [] };
  const directory = join(resolve(root), settings.conf_d);
  const names = listNames(directory);
  if (typeof names === "string") return { settings, notes: [{ place: "conf_d", message: `${directory}: ${names}${ROOT_HINT}` }] };
  const overlays: OriginalSettings[] = [];
  const notes: ImportNote[] = [];
  for (const name of names) {
    const overlay = readSettings(join(directory, name));
    if (typeof overlay === "string") notes.push({ place: `conf_d/${name}`, message: `${overlay}; the original left it out too` });
    else overlays.push(overlay);
  }
  return { settings: overlaySettings(settings, overlays), notes };
}

/** The datasets of a `datasets_dir` below `root`, by name, or why there are none. */
export function readDatasets(directory: string, root: string): OriginalDataset[] | string {
  const base = join(resolve(root), directory);
  const names = listNames(base);
  if (typeof names === "string") return `${names}${ROOT_HINT}`;
  const datasets: OriginalDataset[] = [];
  for (const name of names) {
    const settings = readSettings(join(base, name, "config.json"));
    // A directory without one is no dataset for the original either.
    if (settings === NO_FILE || settings === NO_DIRECTORY) continue;
    const dataset = typeof settings === "string" ? settings : parseDataset(name, settings);
    if (typeof dataset === "string") return `${name}/config.json: ${dataset}`;
    if (!dataset) return `${name}/config.json has no project, type or seed_data`;
    datasets.push(dataset);
  }
  return datasets.length === 0 ? "there is no dataset in it, which is a directory with a config.json" : datasets;
}

const ROOT_HINT = "; --root DIRECTORY names a copy of the host's files";
const NO_FILE = "no such file or directory";
const NO_DIRECTORY = "is no directory";

/** What a file says, or why it cannot be known. JSON is YAML. */
function readSettings(path: string): OriginalSettings | string {
  try {
    const document: unknown = parse(readText(path), {
      ...{ version: "1.1", schema: "yaml-1.1", uniqueKeys: false, logLevel: "error" },
      maxAliasCount: 100,
    });
    return parseSettings(document) ?? "holds no settings (a mapping)";
  } catch (thrown) {
    return readErrorMessage(thrown);
  }
}

function readText(path: string): string {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    if (size > MAX_FILE_BYTES) throw new Error(`is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB`);
    const bytes = Buffer.alloc(size);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, readSync(file, bytes, 0, size, 0)));
  } finally {
    closeSync(file);
  }
}

function listNames(directory: string): string[] | string {
  try {
    const names = readdirSync(directory).sort();
    return names.length > MAX_ENTRIES ? `has more than ${MAX_ENTRIES} entries` : names;
  } catch (thrown) {
    return readErrorMessage(thrown);
  }
}

function readErrorMessage(thrown: unknown): string {
  const error = coerceError(thrown) as NodeJS.ErrnoException;
  if (error.code === "ENOENT") return NO_FILE;
  if (error.code === "ENOTDIR") return NO_DIRECTORY;
  if (error.code === "EISDIR") return "is a directory";
  if (error.code === "EACCES") return "may not be read by this user";
  if (error.code === "ERR_ENCODING_INVALID_ENCODED_DATA") return "is not UTF-8 text";
  return error.message.split("\n", 1)[0] ?? "cannot be read";
}
