import { type FormatValues, formatText } from "../zuul/format-text.ts";
import { asMapping, type Mapping } from "../zuul/mapping.ts";
import type { ImportNote } from "./original-configuration.ts";

/** A job, or what a template makes of one: its body, and what is to be filled into that (nothing into a job's own). */
export interface JenkinsJob {
  /** Where it is written. */
  readonly place: string;
  readonly body: Mapping;
  readonly values: FormatValues | undefined;
}

/** One file of Jenkins Job Builder: its document. */
export interface JenkinsFile {
  readonly file: string;
  readonly document: unknown;
}

export interface JenkinsJobs {
  readonly jobs: ReadonlyMap<string, JenkinsJob>;
  readonly notes: readonly ImportNote[];
}

type Kind = "job" | "job-template" | "job-group" | "project";
type Values = ReadonlyMap<string, readonly string[]>;
/** The nearest first. They stay where they are written: thousands of jobs may share them. */
type Layers = readonly Values[];

/** Templates may be multiplied by lists, and groups by groups. */
const MAX_STEPS = 50_000;
const MAX_VALUES = 1000;
const MAX_GROUP_DEPTH = 10;
const MAX_NOTES = 200;

/**
 * The jobs that files of Jenkins Job Builder (1.x) define, by name: each `job`, and each `job-template` that a `project` fills in, by way of
 * `job-group`s too. Values are texts and numbers, or lists of them: a template is made for each value of a list that its name has.
 */
export function readJenkinsJobs(files: readonly JenkinsFile[]): JenkinsJobs {
  const reading = new JenkinsReading();
  for (const { file, document } of files) reading.readFile(file, document);
  reading.expandProjects();
  return reading;
}

interface Definition {
  readonly place: string;
  readonly body: Mapping;
  readonly values: Values;
}

class JenkinsReading implements JenkinsJobs {
  readonly jobs = new Map<string, JenkinsJob>();
  readonly notes: ImportNote[] = [];
  readonly #definitions: Record<Kind, Map<string, Definition>> = {
    job: new Map(),
    "job-template": new Map(),
    "job-group": new Map(),
    project: new Map(),
  };
  #stepCount = 0;

  readFile(file: string, document: unknown): void {
    if (!Array.isArray(document)) this.#note(file, "is no file of Jenkins Job Builder, which is a list; it is left out");
    for (const [index, entry] of Array.isArray(document) ? document.entries() : []) {
      for (const [kind, body] of Object.entries(asMapping(entry) ?? {})) {
        const { name } = asMapping(body) ?? {};
        if (!isKind(kind) || typeof name !== "string") continue;
        const known = this.#definitions[kind];
        const [place, before] = [`${file}[${index}] (${kind} ${name})`, known.get(name)];
        if (before) this.#note(place, `is at ${before.place} too, which is taken`);
        else known.set(name, { place, body: body as Mapping, values: valuesOf(body as Mapping) });
      }
    }
    for (const [name, { place, body }] of this.#definitions.job) this.jobs.set(name, { place, body, values: undefined });
  }

  expandProjects(): void {
    for (const { place, body, values } of this.#definitions.project.values()) this.#expand(place, body.jobs, [values], 0);
  }

  /** A project's, or a group's, list of names, each perhaps with values of its own. */
  #expand(place: string, list: unknown, layers: Layers, depth: number): void {
    if (!Array.isArray(list) || depth > MAX_GROUP_DEPTH) return;
    for (const entry of list) {
      const [[name, own] = [entry, undefined]] = Object.entries(asMapping(entry) ?? {});
      if (typeof name !== "string" || this.#isTooMuch(place)) continue;
      const all = [valuesOf(asMapping(own) ?? {}), ...layers];
      const group = this.#definitions["job-group"].get(name);
      const template = this.#definitions["job-template"].get(name);
      if (group) this.#expand(place, group.body.jobs, [...all, group.values], depth + 1);
      else if (template) this.#fill(name, template, [...all, template.values]);
      else if (!this.#definitions.job.has(name)) this.#note(place, `names ${name}, which no file defines`);
    }
  }

  #fill(templateName: string, { place, body }: Definition, layers: Layers): void {
    for (const chosen of choices(templateName, layers)) {
      if (this.#isTooMuch(place)) return;
      const name = formatText(templateName, chosen);
      if (name.ok) this.jobs.set(name.text, this.jobs.get(name.text) ?? { place, body, values: chosen });
      else this.#note(place, `its name ${name.fault}`);
    }
  }

  #isTooMuch(place: string): boolean {
    this.#stepCount++;
    if (this.#stepCount === MAX_STEPS) this.#note(place, `is as far as was read: projects name jobs more than ${MAX_STEPS} times`);
    return this.#stepCount >= MAX_STEPS;
  }

  #note(place: string, message: string): void {
    if (this.notes.length < MAX_NOTES) this.notes.push({ place, message });
  }
}

/** Every way to take one value for each that the name has; of the others the first. */
function* choices(templateName: string, layers: Layers): Generator<FormatValues> {
  const valuesFor = (name: string) => layers.find((values) => values.has(name))?.get(name) ?? [];
  const named = new Set(Array.from(templateName.matchAll(/\{\{|\}\}|\{([^{}]*)\}/g), ([, name]) => name ?? ""));
  const axes = [...named].map((name) => [name, valuesFor(name)] as const).filter(([, values]) => values.length > 1);
  for (const chosen of choose(axes, new Map())) yield { get: (name) => chosen.get(name) ?? valuesFor(name)[0] };
}

function* choose(
  [axis, ...others]: readonly (readonly [string, readonly string[]])[],
  chosen: ReadonlyMap<string, string>,
): Generator<ReadonlyMap<string, string>> {
  if (!axis) yield chosen;
  else for (const value of axis[1]) yield* choose(others, new Map([...chosen, [axis[0], value]]));
}

function valuesOf(body: Mapping): Values {
  const values = Object.entries(body).flatMap(([key, value]): [string, string[]][] => {
    const texts = (Array.isArray(value) ? value : [value]).map(textOf);
    return texts.every((text) => text !== undefined) && key !== "jobs" ? [[key, texts]] : [];
  });
  return new Map(values.slice(0, MAX_VALUES));
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" ? `${value}` : undefined;
}

function isKind(kind: string): kind is Kind {
  return kind === "job" || kind === "job-template" || kind === "job-group" || kind === "project";
}
