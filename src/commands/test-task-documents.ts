import { isAlias, isMap, isScalar, isSeq, type Node } from "yaml";
import { findCheckFaults } from "../core/checks/check-faults.ts";
import { makeProblem, type Problem } from "../core/test-task/problem.ts";
import { parseTestTask, TEST_TASK_API_VERSION, TEST_TASK_GROUP, TEST_TASK_KIND, type TestTask } from "../core/test-task/test-task.ts";
import { type TaskWarning, testTaskWarnings } from "../core/test-task/warnings.ts";
import { findFoldedLines } from "./folded-text.ts";
import { parseYaml, readYaml, type YamlSource } from "./yaml-documents.ts";

/** A problem with its place in the text; lines and columns count from 1. `path` is empty when the text is no YAML. */
export interface LocatedProblem {
  path: string;
  message: string;
  line: number;
  column: number;
}

/** One object of a file. `line` is where it begins; `kind` and `name` (`namespace/name`) are as written, where they can be read. */
export type TestTaskDocument = { line: number; kind: string | undefined; name: string | undefined } & (
  | { state: "valid"; task: TestTask; warnings: LocatedProblem[] }
  | { state: "invalid"; problems: LocatedProblem[] }
  | { state: "skipped" }
);

/**
 * Reads every document of a YAML or JSON text as kubectl reads it (YAML 1.1: `yes` is true), the items of Lists included. Objects of
 * other kinds are skipped; empty documents do not count.
 */
export function readTestTaskDocuments(text: string): TestTaskDocument[] {
  return parseYaml(text).flatMap(readDocument);
}

function readDocument(source: YamlSource): TestTaskDocument[] {
  const read = readYaml(source);
  if ("faults" in read) {
    const problems = read.faults.map(({ message, offset }) => ({ path: "", message, ...position(source, offset) }));
    return [{ line: locate(source, []).line, kind: undefined, name: undefined, state: "invalid", problems }];
  }
  return read.value === null || read.value === undefined ? [] : readObject(source, read.value, []);
}

function readObject(source: YamlSource, object: unknown, segments: Problem["segments"]): TestTaskDocument[] {
  const { apiVersion, kind, metadata, items } = (object ?? {}) as Record<string, unknown>;
  if (kind === "List" && apiVersion === "v1" && Array.isArray(items)) {
    return items.flatMap((item, index) => readObject(source, item, [...segments, "items", index]));
  }
  const facts = { line: locate(source, segments).line, kind: typeof kind === "string" ? kind : undefined, name: writtenName(metadata) };
  const invalid = (problems: readonly Problem[]): TestTaskDocument[] => [
    {
      ...facts,
      state: "invalid",
      problems: problems.map(({ path, message, ...problem }) => ({ path, message, ...locate(source, [...segments, ...problem.segments]) })),
    },
  ];
  if (facts.kind === undefined || typeof apiVersion !== "string") {
    return invalid([
      {
        path: "",
        segments: [],
        message: `is no Kubernetes object; a TestTask begins with apiVersion: ${TEST_TASK_API_VERSION} and kind: ${TEST_TASK_KIND}`,
      },
    ]);
  }
  const isOurs = facts.kind === TEST_TASK_KIND || apiVersion === TEST_TASK_GROUP || apiVersion.startsWith(`${TEST_TASK_GROUP}/`);
  if (!isOurs) return [{ ...facts, state: "skipped" }];
  const result = parseTestTask(object, { strictMetadata: true });
  if (!result.ok) return invalid(result.problems);
  // The API server can't look into patterns; the operator refuses builds of such a task.
  const faults = findCheckFaults(result.task.spec.checks);
  if (faults.length > 0) return invalid(faults);
  const warnings = [...testTaskWarnings(result.task), ...foldedWarnings(source, segments)];
  return [{ ...facts, state: "valid", task: result.task, warnings: warnings.map((warning) => locateWarning(source, segments, warning)) }];
}

/** What the YAML shows and its meaning does not. */
function foldedWarnings(source: YamlSource, segments: Problem["segments"]): TaskWarning[] {
  const { node } = find(source, [...segments, "spec", "script"]);
  const folded = isScalar(node) ? findFoldedLines(node, source.text) : undefined;
  if (!folded) return [];
  const message = `YAML makes one line of its lines: ${JSON.stringify(folded.join(" ").slice(0, 60))} is one command; write script: |`;
  return [makeProblem(["spec", "script"], message)];
}

function locateWarning(source: YamlSource, segments: Problem["segments"], warning: TaskWarning): LocatedProblem {
  const { path, message, scriptLine } = warning;
  const place = [...segments, ...warning.segments];
  const { node } = find(source, place);
  if (scriptLine === undefined || !isScalar(node) || node.type !== "BLOCK_LITERAL" || !node.range) {
    return { path, message, ...locate(source, place) };
  }
  return { path, message, line: position(source, node.range[0]).line + scriptLine, column: 1 };
}

function writtenName(metadata: unknown): string | undefined {
  const { name, namespace } = (metadata ?? {}) as Record<string, unknown>;
  if (typeof name !== "string") return undefined;
  return typeof namespace === "string" ? `${namespace}/${name}` : name;
}

/** Where the value at `segments` is written (its key, in a mapping), or the nearest thing around it that is. */
function locate(source: YamlSource, segments: Problem["segments"]): { line: number; column: number } {
  return position(source, find(source, segments).offset);
}

/** Likewise; without a node where only something around it is written. */
function find(source: YamlSource, segments: Problem["segments"]): { offset: number; node: Node | null | undefined } {
  let node: Node | null | undefined = source.document.contents;
  let offset = node?.range?.[0] ?? source.document.range[0];
  for (const segment of segments) {
    if (isAlias(node)) node = node.resolve(source.document);
    const child = childOf(node, segment);
    if (!child) return { offset, node: undefined };
    offset = child.offset ?? offset;
    node = child.node;
  }
  return { offset, node: isAlias(node) ? node.resolve(source.document) : node };
}

function childOf(node: Node | null | undefined, segment: string | number): { offset: number | undefined; node: Node | null } | undefined {
  if (isSeq<Node>(node) && typeof segment === "number") {
    const item = node.items[segment];
    return item && { offset: item.range?.[0], node: item };
  }
  if (!isMap<Node, Node | null>(node)) return undefined;
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment));
  return pair && { offset: pair.key.range?.[0], node: pair.value };
}

function position({ lineCounter }: YamlSource, offset: number): { line: number; column: number } {
  const { line, col } = lineCounter.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}
