import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Chance, claimLeftMs, noteChance, startClaimClock } from "../../../../src/core/job/claim-clock.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

type Spell = readonly [Chance, number];

/** What is left after spells of these lengths, one after another, each noted when it begins. */
function left(spells: readonly Spell[], startMs = 0): number {
  let nowMs = startMs;
  let clock = startClaimClock(spells[0]?.[0] ?? "open", nowMs);
  for (const [chance, ms] of spells) {
    clock = noteChance(clock, chance, nowMs);
    nowMs += ms;
  }
  return claimLeftMs(clock, nowMs);
}

describe("the clock of a build that nobody asks for", () => {
  const table: [string, Spell[], number][] = [
    ["begins with two minutes", [["open", 0]], 2 * MINUTE],
    ["counts time with a chance", [["open", 30 * SECOND]], 90 * SECOND],
    ["is over after two minutes of it", [["open", 2 * MINUTE]], 0],
    ["stands still at full load, however long", [["none", 24 * 60 * MINUTE]], Number.POSITIVE_INFINITY],
    [
      "goes on where it stood after full load, and after a moment without the server",
      [
        ["open", MINUTE],
        ["none", 20 * MINUTE],
        ["away", 1],
        ["open", 10 * SECOND],
      ],
      50 * SECOND,
    ],
    [
      "does not end a build for a moment without the server after a quarter of an hour at full load",
      [
        ["none", 15 * MINUTE],
        ["away", 100],
      ],
      15 * MINUTE - 100,
    ],
    [
      "ends an abandoned build though its server comes and goes every half minute",
      Array.from({ length: 8 }, (_, index): Spell => (index % 2 === 0 ? ["open", 30 * SECOND] : ["away", SECOND])),
      0,
    ],
    ["has a quarter of an hour without the server", [["away", 14 * MINUTE]], MINUTE],
    [
      "adds up several absences",
      [
        ["away", 10 * MINUTE],
        ["open", SECOND],
        ["away", 4 * MINUTE],
      ],
      MINUTE,
    ],
    [
      "is over after a quarter of an hour of them, whatever is now",
      [
        ["away", 15 * MINUTE],
        ["none", MINUTE],
      ],
      0,
    ],
    [
      "is over after two minutes with a chance, whatever is now",
      [
        ["open", 2 * MINUTE],
        ["none", MINUTE],
      ],
      0,
    ],
  ];
  for (const [name, spells, expected] of table) test(name, () => assert.equal(left(spells, 12_345), expected));

  const spell = fc.tuple(fc.constantFrom<Chance>("open", "none", "away"), fc.integer({ min: 0, max: 20 * MINUTE }));

  test("never gives a build more or less for looking at it more often", () => {
    fc.assert(
      fc.property(fc.array(spell, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 9 }), (spells, parts) => {
        const often = spells.flatMap(([chance, ms]) => {
          const part = Math.floor(ms / parts);
          return Array.from({ length: parts }, (_, index): Spell => [chance, index === 0 ? ms - part * (parts - 1) : part]);
        });
        assert.equal(left(often), left(spells));
      }),
    );
  });

  test("gives a build up exactly when it had two minutes to be asked for, or a quarter of an hour without its server", () => {
    const sum = (spells: readonly Spell[], of: Chance) => spells.reduce((ms, [chance, each]) => ms + (chance === of ? each : 0), 0);
    fc.assert(
      fc.property(fc.array(spell, { minLength: 1, maxLength: 12 }), (spells) => {
        assert.equal(left(spells) <= 0, sum(spells, "open") >= 2 * MINUTE || sum(spells, "away") >= 15 * MINUTE);
      }),
    );
  });
});
