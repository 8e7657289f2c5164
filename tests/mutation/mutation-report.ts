import { dirname } from "node:path";

/** What is read of a mutation-testing-report-schema 2 report. */
export interface MutationReport {
  files: Record<string, MutatedFile>;
}

interface MutatedFile {
  source: string;
  mutants: readonly Mutant[];
}

interface Mutant {
  mutatorName: string;
  replacement?: string;
  status: "Killed" | "Timeout" | "Survived" | "NoCoverage" | "CompileError" | "RuntimeError" | "Ignored" | "Pending";
  location: { start: Position; end: Position };
}

/** Both from 1. */
interface Position {
  line: number;
  column: number;
}

const CAUGHT = ["Killed", "Timeout"];
const MISSED = ["Survived", "NoCoverage"];

/** One line for each break that no test noticed: place, what stood there, what stood there instead. */
export function renderSurvivors(files: MutationReport["files"]): string {
  return Object.entries(files)
    .flatMap(([path, { source, mutants }]) => {
      const lines = source.split("\n");
      return mutants
        .filter(({ status }) => MISSED.includes(status))
        .map(({ location, mutatorName, replacement = "", status }) => {
          const uncovered = status === "NoCoverage" ? " (never run)" : "";
          return `${path}:${location.start.line}${uncovered} ${mutatorName}: ${short(excerpt(lines, location))} -> ${short(replacement)}`;
        });
    })
    .join("\n");
}

/** A line for each directory and one for all: how many of the breaks were noticed. */
export function renderScores(files: MutationReport["files"]): string {
  const rooms = new Map<string, { caught: number; all: number }>();
  for (const [path, { mutants }] of Object.entries(files)) {
    for (const { status } of mutants) {
      const isCaught = CAUGHT.includes(status);
      if (!isCaught && !MISSED.includes(status)) continue;
      for (const room of [dirname(path), "all"]) {
        const { caught, all } = rooms.get(room) ?? { caught: 0, all: 0 };
        rooms.set(room, { caught: caught + (isCaught ? 1 : 0), all: all + 1 });
      }
    }
  }
  return [...rooms]
    .sort(([a], [b]) => Number(a === "all") - Number(b === "all") || (a < b ? -1 : 1))
    .map(([room, { caught, all }]) => `${room}: ${caught} of ${all} (${((caught / all) * 100).toFixed(1)} %)`)
    .join("\n");
}

function excerpt(lines: readonly string[], { start, end }: Mutant["location"]): string {
  const cut = lines.slice(start.line - 1, end.line);
  const last = cut.length - 1;
  return cut.map((line, index) => line.slice(index === 0 ? start.column - 1 : 0, index === last ? end.column - 1 : undefined)).join(" ");
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}
