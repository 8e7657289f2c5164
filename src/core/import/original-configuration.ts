import * as z from "zod";

/** The configuration of the original Turbo Hipster, as `turbo_hipster/worker_server.py` reads it. All of it is somebody's text. */
export type OriginalSettings = Readonly<Record<string, unknown>>;

/** Something that TestTasks have no place for: where it is written, and why, with the way out. */
export interface ImportNote {
  place: string;
  message: string;
}

/** One job of the configuration. `functionName` is the Gearman function that the original registered for it. */
export interface OriginalJob {
  /** Where it is written, such as `plugins[2]`. */
  place: string;
  functionName: string;
  plugin: string;
  settings: OriginalSettings;
}

const settingsSchema = z.record(z.string(), z.unknown());
const nameSchema = z.string().min(1);

/** The settings of a file's document; undefined where it is no mapping. */
export function parseSettings(document: unknown): OriginalSettings | undefined {
  const parsed = settingsSchema.safeParse(document);
  return parsed.success ? parsed.data : undefined;
}

/** Each overlay's top-level settings replace those before (`load_extra_configuration`: Python's `dict.update`). */
export function overlaySettings(settings: OriginalSettings, overlays: readonly OriginalSettings[]): OriginalSettings {
  return Object.assign({}, settings, ...overlays);
}

/**
 * The jobs in the order of the file: `plugins` first, then `jobs`, of which a later one takes the place of an earlier one with the same
 * function (`load_jobs`). What is no job of either is told.
 */
export function readOriginalJobs(settings: OriginalSettings): { jobs: OriginalJob[]; notes: ImportNote[] } {
  const notes: ImportNote[] = [];
  const found = new Map<string, OriginalJob>();
  const take = (list: string, nameField: string, pluginOf: (entry: OriginalSettings) => unknown) => {
    for (const [index, entry] of listOf(settings[list], list, notes).entries()) {
      const place = `${list}[${index}]`;
      const fields = parseSettings(entry) ?? {};
      const [name, plugin] = [nameSchema.safeParse(fields[nameField]), nameSchema.safeParse(pluginOf(fields))];
      if (!name.success || !plugin.success) {
        notes.push({
          place,
          message: `has no ${nameField} or no plugin's name, and the original loaded no such job; nothing is made of it`,
        });
        continue;
      }
      const former = found.get(name.data);
      if (former) notes.push({ place: former.place, message: `${name.data} is said again by ${place}, which the original took` });
      found.set(name.data, { place, functionName: name.data, plugin: plugin.data, settings: fields });
    }
  };
  take("plugins", "function", ({ name }) => name);
  take("jobs", "name", ({ plugin = "shell_script" }) => plugin);
  return { jobs: [...found.values()], notes };
}

function listOf(value: unknown, place: string, notes: ImportNote[]): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  notes.push({ place, message: "is no list; nothing is made of it" });
  return [];
}
