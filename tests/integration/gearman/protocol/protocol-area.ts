import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startGeard } from "../../../support/gearman/geard.ts";
import type { GearmanServer, GearmanServerKind } from "../../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";

/** Both servers, each to be started anew. */
export const SERVERS: readonly { readonly kind: GearmanServerKind; start(): Promise<GearmanServer> }[] = [
  { kind: "gearmand", start: () => startGearmand() },
  { kind: "geard", start: () => startGeard() },
];

/** One line of the compatibility table: what happens, and what was seen with each server. */
interface ProtocolRow {
  readonly event: string;
  readonly seen: Partial<Record<GearmanServerKind, string>>;
}

export interface ProtocolArea {
  /**
   * A test whose outcome is a sentence: it must be the recorded one. `UPDATE=1` records it, and `docs/gearman.md` is made of the records
   * (`tests/unit/docs/gearman-page.test.ts`).
   */
  row(kind: GearmanServerKind, event: string, look: () => Promise<string>): void;
}

/** The rows of `tests/golden/gearman-protocol/<name>.json`, in the order in which they are declared. */
export function protocolArea(name: string): ProtocolArea {
  const path = fileURLToPath(new URL(`../../../golden/gearman-protocol/${name}.json`, import.meta.url));
  const isUpdate = process.env.UPDATE === "1";
  const recorded = new Map(readRows(path).map((row) => [row.event, row.seen]));
  const rows = new Map<string, ProtocolRow & { seen: Partial<Record<GearmanServerKind, string>> }>();
  after(() => {
    if (isUpdate) writeFileSync(path, `${JSON.stringify([...rows.values()], undefined, 2)}\n`);
    else assert.deepEqual([...rows.keys()], [...recorded.keys()], "the records have exactly the declared rows; UPDATE=1 records them anew");
  });
  return {
    row(kind, event, look) {
      const row = rows.get(event) ?? { event, seen: { ...recorded.get(event) } };
      rows.set(event, row);
      test(`${event} (${kind})`, async () => {
        const sentence = await look();
        if (isUpdate) row.seen[kind] = sentence;
        else assert.equal(sentence, row.seen[kind], "what was seen is what the records say");
      });
    },
  };
}

function readRows(path: string): ProtocolRow[] {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
