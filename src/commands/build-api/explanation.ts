import { phasesOf } from "../../core/report/build-phases.ts";
import { badgeOf, evidenceWords, sentenceOf } from "../../core/report/build-words.ts";
import { sayBytes, sayDuration, sayTime } from "../../web/words.ts";
import type { ApiBuild } from "./build-api.ts";
import { withoutControls } from "./terminal-line.ts";

/** More is on the page. */
const MOST_FAILURES = 20;

/** What the page of a build says, in lines that a terminal obeys nothing of. */
export function renderExplanation(build: ApiBuild, page: string, now: Date): string[] {
  const { verdict, words, details } = build;
  const evidence = evidenceWords(verdict?.evidence ?? {});
  const lines = [
    `${badgeOf(build).word}: ${words.sentence}`,
    subjectOf(build),
    ...(verdict
      ? [
          "",
          `Zuul was told: ${verdict.result ?? "nothing: no result"}`,
          `That means: ${[words.meaning, words.next].filter((word) => word !== undefined).join(" ")}`,
          `Rule ${verdict.rule}: ${words.rule ?? "another version of this program decided so"}`,
          ...(evidence.length > 0 ? [`Seen: ${evidence.join(", ")}`] : []),
        ]
      : []),
    ...section("Datasets", (build.members ?? []).map(sayMember)),
    ...section("Steps", phasesOf(build.times, now).map(sayPhase)),
    ...checkLines(build),
    ...junitLines(build),
    ...section(
      "Checked out",
      build.commits.map(({ project, commit, ref, subject }) => `${project} ${commit} (${ref}) ${subject}`),
    ),
    ...artifactLines(build),
    ...build.problems.flatMap((problem) => ["", problem]),
    ...section("Where", whereLines(build)),
  ].map(withoutControls);
  // Lines for a shell, which may have newlines in them, and are written so that a terminal obeys nothing.
  const again = details?.again.kubectl.split("\n").map(withoutControls) ?? [];
  const docker = details?.again.docker?.split("\n").map(withoutControls) ?? [];
  const needs = details?.again.needs.map((need) => withoutControls(`needs ${need}`)) ?? [];
  return [
    ...lines,
    ...(docker.length > 0 ? ["", "Run it again, on your machine", ...indent(needs), "", ...docker] : []),
    ...(again.length > 0 ? ["", "Run it again, in the cluster", "", ...again] : []),
    "",
    `Page: ${page}`,
  ];
}

function subjectOf({ task, item }: ApiBuild): string {
  const change = item.change === undefined ? undefined : `change ${item.change},${item.patchset ?? "?"}`;
  const parts = [item.project, item.branch, change, item.pipeline === undefined ? undefined : `in ${item.pipeline}`];
  const words = parts.filter((part) => part !== undefined).join(", ");
  return words === "" ? task : `${task} for ${words}`;
}

function sayMember({ dataset, number, standing, step, verdict }: NonNullable<ApiBuild["members"]>[number]): string {
  return `${dataset}: ${badgeOf({ verdict, standing }).word}, ${verdict ? sentenceOf({ verdict, step }) : `is ${step}`} (${number})`;
}

function sayPhase({ step, doing, at, ms, isNow }: ReturnType<typeof phasesOf>[number]): string {
  return `${sayTime(at)}  ${step === "ended" ? doing : `${doing} ${sayDuration(ms)}${isNow ? " so far" : ""}`}`;
}

function checkLines({ checks = [] }: ApiBuild): string[] {
  const lines = checks.flatMap(({ name, outcome, message, findings }) => [
    `${name} ${outcome}: ${message}`,
    ...indent(findings.filter(({ isBad }) => isBad).map(({ line, text }) => `${line === undefined ? "" : `line ${line}: `}${text}`)),
  ]);
  return section("Checks", lines);
}

function junitLines({ artifacts }: ApiBuild): string[] {
  const junit = artifacts?.junit;
  if (!junit) return [];
  const bad = junit.failures + junit.errors;
  const failed = junit.failed.slice(0, MOST_FAILURES).map(({ name, message }) => `${name}: ${message.split("\n", 1)[0] ?? ""}`);
  const more = bad > failed.length ? [`and ${bad - failed.length} more`] : [];
  return ["", `Tests: ${bad} of ${junit.tests} failed, ${junit.skipped} skipped`, ...indent([...failed, ...more])];
}

function artifactLines({ artifacts }: ApiBuild): string[] {
  if (!artifacts || artifacts.files.length === 0) return [];
  const { files, bytes, leftOutCount } = artifacts;
  const leftOut = leftOutCount > 0 ? `, ${leftOutCount} left out` : "";
  return ["", `Artifacts: ${files.length} ${files.length === 1 ? "file" : "files"}, ${sayBytes(bytes)}${leftOut}`];
}

function whereLines({ number, namespace, functionName, pod, node, logs }: ApiBuild): string[] {
  return [
    `build ${number}, ${functionName}`,
    `namespace ${namespace}, pod ${pod ?? "none"}${node === undefined ? "" : `, node ${node}`}`,
    ...(logs.length > 0 ? [`logs of ${logs.join(", ")}`] : []),
  ];
}

function section(heading: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", heading, ...indent(lines)];
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
