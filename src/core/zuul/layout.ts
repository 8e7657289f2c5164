import { formatText } from "./format-text.ts";
import { asList, asMapping, type Mapping } from "./mapping.ts";
import { readParameterFunctions } from "./parameter-functions.ts";

/** A job that a layout lets Zuul send, or have sent by itself (`noop`). */
export interface LayoutJob {
  /** As written; `^...` is nobody's regular expression here, though it looks like one: Zuul takes it for a name. */
  readonly name: string;
  /** Whose changes it runs for, by project, with the pipelines. */
  readonly uses: ReadonlyMap<string, ReadonlySet<string>>;
  /** The function of the layout's Python that may change a build's parameters, and with them the node label; undefined: none does. */
  readonly parameterFunction: string | undefined;
}

/** Something in a layout that Zuul would refuse or that cannot be known here: where it is written, and why. */
export interface LayoutFault {
  readonly place: string;
  readonly message: string;
}

export interface Layout {
  /** In the order in which projects name them, each once. */
  readonly jobs: readonly LayoutJob[];
  readonly faults: readonly LayoutFault[];
}

/** Zuul completes it without asking anybody (`zuul/launcher/gearman.py`, `launch`). */
export const NOOP_JOB = "noop";

/** Far beyond any layout; a small file may have its templates used by many. */
const MAX_USES = 500_000;
/** Entries looked at. Aliases let a small file stand for any number of them, without one job. */
const MAX_STEPS = 5_000_000;
/** Of a name in a message. */
const MAX_SHOWN = 200;
/** Jobs that wait for jobs that wait ... */
const MAX_DEPTH = 100;
const MAX_FAULTS = 200;

/**
 * What Zuul 2.6 reads in a layout.yaml (`zuul/scheduler.py`, `_parseConfig`): each job of each project's pipelines, those of templates and
 * those that wait for another included. A text where it is no layout. `jobs:` alone makes Zuul send nothing.
 */
export function readLayout(document: unknown): Layout | string {
  const root = asMapping(document);
  const pipelines = root && namesOf(root.pipelines);
  if (!root || !pipelines) return "is no layout of Zuul's: it has no list pipelines, each with a name";
  if (!Array.isArray(root.projects)) return "is no layout of Zuul's: it has no list projects";
  const reading = new LayoutReading(pipelines);
  const parameterFunctionOf = readParameterFunctions(root.jobs, reading.blame);
  const templates = reading.readTemplates(root["project-templates"]);
  for (const [index, project] of root.projects.entries()) reading.readProject(`projects[${index}]`, project, templates);
  const jobs = [...reading.uses].map(([name, uses]) => ({ name, uses, parameterFunction: parameterFunctionOf(name) }));
  return { jobs, faults: reading.faults };
}

/** Where jobs are named, and what their names are filled in with: those of a template, but not a project's own. */
interface TreePlace {
  readonly project: string;
  readonly pipeline: string;
  readonly place: string;
  readonly values: ReadonlyMap<string, string> | undefined;
}

class LayoutReading {
  readonly uses = new Map<string, Map<string, Set<string>>>();
  readonly faults: LayoutFault[] = [];
  readonly #pipelines: readonly string[];
  #useCount = 0;
  #stepCount = 0;
  #isOver = false;

  constructor(pipelines: readonly string[]) {
    this.#pipelines = pipelines;
  }

  readonly blame = (place: string, message: string): void => {
    if (this.faults.length < MAX_FAULTS) this.faults.push({ place, message });
  };

  readTemplates(list: unknown): Map<string, Mapping> {
    const templates = new Map<string, Mapping>();
    for (const [index, entry] of asList(list).entries()) {
      const template = asMapping(entry);
      if (typeof template?.name === "string") templates.set(template.name, template);
      else this.blame(`project-templates[${index}]`, "has no name");
    }
    return templates;
  }

  readProject(place: string, entry: unknown, templates: ReadonlyMap<string, Mapping>): void {
    const project = asMapping(entry);
    if (typeof project?.name !== "string") {
      this.blame(place, "has no name");
      return;
    }
    const { name } = project;
    for (const [index, call] of asList(project.template).entries()) {
      if (this.#isTooMuch(place)) return;
      this.#readCall(`${place} (${name}).template[${index}]`, name, asMapping(call) ?? {}, templates);
    }
    this.#readPipelines(`${place} (${name})`, name, project, undefined);
  }

  #readCall(place: string, project: string, call: Mapping, templates: ReadonlyMap<string, Mapping>): void {
    const template = typeof call.name === "string" ? templates.get(call.name) : undefined;
    if (!template) {
      this.blame(place, "names no template that project-templates has");
      return;
    }
    const values = new Map<string, string>();
    for (const [key, value] of Object.entries(call)) {
      if (this.#isTooMuch(place)) return;
      if (typeof value === "string") values.set(key, value);
      else this.blame(place, `${key} is no text; put it in quotes`);
    }
    // `name` is always the project's, without what stands before its last slash.
    values.set("name", project.split("/").at(-1) ?? project);
    this.#readPipelines(place, project, template, values);
  }

  #readPipelines(place: string, project: string, jobs: Mapping, values: TreePlace["values"]): void {
    for (const pipeline of this.#pipelines) {
      if (this.#isTooMuch(place)) return;
      if (!Object.hasOwn(jobs, pipeline)) continue;
      this.#readTree({ project, pipeline, place: `${place}.${pipeline}`, values }, jobs[pipeline], 0);
    }
  }

  /** A list of names, of lists of such lists, and of mappings of a name to the jobs that wait for it. */
  #readTree(tree: TreePlace, jobs: unknown, depth: number): void {
    if (this.#isTooMuch(tree.place)) return;
    if (depth > MAX_DEPTH) {
      this.blame(tree.place, `has more than ${MAX_DEPTH} jobs that wait for one another`);
      return;
    }
    if (!Array.isArray(jobs)) this.blame(tree.place, "is no list of jobs, of which Zuul makes something else; write - before each");
    // Of a mapping Zuul takes the keys: what waits for them never runs.
    for (const job of Array.isArray(jobs) ? jobs : Object.keys(asMapping(jobs) ?? {})) {
      if (this.#isTooMuch(tree.place)) return;
      const waiting = asMapping(job);
      if (Array.isArray(job)) {
        for (const list of job) {
          if (this.#isOver) return;
          this.#readTree(tree, list, depth + 1);
        }
      } else if (waiting) {
        for (const [name, others] of Object.entries(waiting)) {
          if (this.#isOver) return;
          this.#use(tree, name);
          this.#readTree({ ...tree, place: `${tree.place}.${name}` }, others, depth + 1);
        }
      } else if (typeof job === "string") this.#use(tree, job);
      else this.blame(tree.place, `${JSON.stringify(job)} is no text, as a job's name is; put it in quotes`);
    }
  }

  #isTooMuch(place: string): boolean {
    if (!this.#isOver && this.#stepCount++ >= MAX_STEPS) this.#stop(place, `with its aliases the layout has ${MAX_STEPS} entries`);
    return this.#isOver;
  }

  #stop(place: string, why: string): void {
    if (!this.#isOver) this.faults.push({ place, message: `is as far as was read: ${why}` });
    this.#isOver = true;
  }

  #use({ project, pipeline, place, values }: TreePlace, written: string): void {
    if (this.#useCount++ >= MAX_USES) {
      this.#stop(place, `jobs are named ${MAX_USES} times`);
      return;
    }
    const name = values === undefined ? ({ ok: true, text: written } as const) : formatText(written, values);
    if (!name.ok) {
      this.blame(place, `the template's ${written} ${name.fault}`);
      return;
    }
    if (!/^\S+$/.test(name.text)) {
      this.blame(place, `${JSON.stringify(name.text.slice(0, MAX_SHOWN))} is no job's name: it is empty or has blanks`);
      return;
    }
    const uses = this.uses.get(name.text) ?? new Map<string, Set<string>>();
    this.uses.set(name.text, uses);
    uses.set(project, (uses.get(project) ?? new Set()).add(pipeline));
  }
}

function namesOf(list: unknown): string[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const names = list.map((entry) => asMapping(entry)?.name);
  return names.every((name) => typeof name === "string") ? names : undefined;
}
