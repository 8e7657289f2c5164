import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { GearmanServerKind } from "../../support/gearman/gearman-server.ts";
import { countHandles } from "../gearman/worker/link-harness.ts";
import { type DrillReport, runDrill } from "./drill.ts";
import type { TroubleKind } from "./drill-plan.ts";

/*
 * The short drill, a minute in all, runs with every `npm test`. The long one: TH_LINK_DRILL=long, 100 builds under way, minutes for each
 * line. TH_LINK_DRILL_SEED repeats a plan; when the servers and the kernel act on it differs from run to run.
 */
const isLong = process.env.TH_LINK_DRILL === "long";
const seed = Number(process.env.TH_LINK_DRILL_SEED ?? Math.floor(Math.random() * 1_000_000));
const SIZE = isLong
  ? { underWay: 100, troubledMs: 120_000, troubleEveryMs: 5000, haste: 1 }
  : { underWay: 24, troubledMs: 6000, troubleEveryMs: 1500, haste: 5 };

const DRILLS: { title: string; kinds: GearmanServerKind[]; troubles: TroubleKind[] }[] = [
  { title: "the operator's links to gearmand are cut", kinds: ["gearmand"], troubles: ["operator"] },
  { title: "the operator's links to geard are cut", kinds: ["geard"], troubles: ["operator"] },
  { title: "the operator's and Zuul's links to both are cut", kinds: ["gearmand", "geard"], troubles: ["operator", "operator", "zuul"] },
  { title: "both are killed and the operator's links are cut", kinds: ["gearmand", "geard"], troubles: ["operator", "kill"] },
];

function renderLine(kinds: readonly GearmanServerKind[], { cuts, kills, counts }: DrillReport): string {
  const columns = { server: kinds.join("+"), cuts, kills, ...counts };
  return Object.entries(columns)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** With what the operator logged about the builds that the fault names. */
function tellFault(fault: string, { operatorLog }: DrillReport): string[] {
  const numbers = new Set(fault.match(/\bjob-[abc]-[0-9a-f]{16}/g));
  return [fault, ...operatorLog.filter((line) => [...numbers].some((number) => line.includes(number))).map((line) => `  ${line}`)];
}

/** Whether the operator held the installation, and which servers it had: without either nothing is taken. */
function tellRoles({ operatorLog }: DrillReport): string[] {
  return operatorLog.filter((line) => /"lease":|gearman server|lane\/shared/.test(line)).slice(-60);
}

describe("no build is lost, wrong, hanging or run twice", () => {
  for (const { title, kinds, troubles } of DRILLS) {
    test(`while ${title}`, { timeout: isLong ? 900_000 : 175_000 }, async (t) => {
      const handlesBefore = await countHandles();
      const report = await runDrill({ kinds, troubles, seed, ...SIZE, log: isLong ? (line) => t.diagnostic(line) : () => {} });
      const line = renderLine(kinds, report);
      t.diagnostic(`seed=${seed} ${line}`);
      const { lost, wrong, hanging, reruns, orphans, zuulGaveUp } = report.counts;
      const story = () =>
        [
          line,
          `seed ${seed}`,
          ...report.events,
          ...tellRoles(report),
          ...report.faults.slice(0, 3).flatMap((fault) => tellFault(fault, report)),
        ].join("\n");
      assert.deepEqual({ lost, wrong, hanging, reruns, orphans }, { lost: 0, wrong: 0, hanging: 0, reruns: 0, orphans: 0 }, story());
      assert.ok(report.cuts + report.kills > 0, story());
      if (!troubles.includes("zuul") && !troubles.includes("kill")) assert.equal(zuulGaveUp, 0, story());
      assert.deepEqual(await countHandles(), handlesBefore, "no socket, listener or timer is left");
    });
  }
});
