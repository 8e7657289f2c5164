import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { HolderTerm } from "../../../../src/controllers/replicas/holder-term.ts";
import type { Logger } from "../../../../src/runtime/logger.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

/** `gain` and `lose` are told; `lapse` is not told yet. `list N` answers the Nth listing, `fail N` breaks it off. */
type Step = "gain" | "lose" | "lapse" | "note" | "stop" | `list ${number}` | `fail ${number}`;

function setUp() {
  const replicas = { isHolder: false, isAlive: (replica: string) => replica === "b" };
  const listings: PromiseWithResolvers<void>[] = [];
  const logged: string[] = [];
  const fieldsOf: Record<string, object> = {};
  const log = (fields: object, message: string) => {
    logged.push(message);
    fieldsOf[message] = fields;
  };
  const logger: Logger = { ...silentLogger, info: log, warn: log, error: log };
  const changes: boolean[] = [];
  const term = new HolderTerm({
    replica: "a",
    replicas,
    refresh() {
      const listing = Promise.withResolvers<void>();
      listings.push(listing);
      return listing.promise;
    },
    onChange: () => changes.push(term.isHolder),
    logger,
  });

  async function take(step: Step): Promise<boolean> {
    const [kind, number] = step.split(" ");
    const listing = listings[Number(number) - 1];
    if (kind === "list") listing?.resolve();
    else if (kind === "fail") listing?.reject(new Error("cut off"));
    else if (kind === "stop") term.noteStop();
    else {
      if (kind !== "note") replicas.isHolder = kind === "gain";
      if (kind !== "lapse") term.noteReplicas();
    }
    await turn();
    return term.isHolder;
  }

  return { term, listings, logged, fieldsOf, changes, take };
}

interface History {
  /** Each step, and whether the replica acts as the holder after it. */
  steps: [Step, boolean][];
  listings: number;
  logged: string[];
}

const HISTORIES: Record<string, History> = {
  "begins when the role is had and what there is was listed, and ends with the role": {
    steps: [
      ["note", false],
      ["gain", false],
      ["note", false],
      ["list 1", true],
      ["note", true],
      ["lose", false],
    ],
    listings: 1,
    logged: ["takes builds", "takes no more builds"],
  },
  "does not begin with a listing that ends after the role was lost": {
    steps: [
      ["gain", false],
      ["lose", false],
      ["list 1", false],
    ],
    listings: 1,
    logged: ["takes no more builds"],
  },
  "does not begin with the listing of the one before": {
    steps: [
      ["gain", false],
      ["lose", false],
      ["gain", false],
      ["list 1", false],
      ["list 2", true],
    ],
    listings: 2,
    logged: ["takes no more builds", "takes builds"],
  },
  "goes on when the listing of the one before comes late, or fails": {
    steps: [
      ["gain", false],
      ["lose", false],
      ["gain", false],
      ["list 2", true],
      ["fail 1", true],
    ],
    listings: 2,
    logged: ["takes no more builds", "takes builds", "could not list what there is"],
  },
  "lists anew after one that was whole": {
    steps: [
      ["gain", false],
      ["list 1", true],
      ["lose", false],
      ["gain", false],
      ["list 2", true],
    ],
    listings: 2,
    logged: ["takes builds", "takes no more builds", "takes builds"],
  },
  "does not begin when the listing fails; the next one may": {
    steps: [
      ["gain", false],
      ["fail 1", false],
      ["note", false],
      ["lose", false],
      ["gain", false],
      ["list 2", true],
    ],
    listings: 2,
    logged: ["could not list what there is", "takes no more builds", "takes builds"],
  },
  "does not tell of a listing that the stop has cut off": {
    steps: [
      ["gain", false],
      ["stop", false],
      ["fail 1", false],
      ["lose", false],
    ],
    listings: 1,
    logged: ["takes no more builds"],
  },
  "is over from the moment on that the Lease runs out, before anybody is told": {
    steps: [
      ["gain", false],
      ["list 1", true],
      ["lapse", false],
      ["note", false],
    ],
    listings: 1,
    logged: ["takes builds", "takes no more builds"],
  },
  "does not begin when the Lease has run out during the listing": {
    steps: [
      ["gain", false],
      ["lapse", false],
      ["list 1", false],
    ],
    listings: 1,
    logged: ["takes builds", "takes no more builds"],
  },
};

describe("the holder's term", () => {
  for (const [title, { steps, listings, logged }] of Object.entries(HISTORIES)) {
    test(title, async () => {
      const stage = setUp();
      const seen: [Step, boolean][] = [];
      for (const [step] of steps) seen.push([step, await stage.take(step)]);
      assert.deepEqual(seen, steps);
      assert.equal(stage.listings.length, listings);
      assert.deepEqual(stage.logged, logged);
    });
  }

  test("tells of every change of the replicas, and of its own beginning, once it is so", async () => {
    const { take, changes } = setUp();
    await take("note");
    await take("gain");
    assert.deepEqual(changes, [false, false]);
    await take("list 1");
    assert.deepEqual(changes, [false, false, true]);
    await take("lose");
    assert.deepEqual(changes, [false, false, true, false]);
  });

  test("is logged with the replica's name, and a listing that fails with what it says", async () => {
    const { fieldsOf, take } = setUp();
    for (const step of ["gain", "list 1", "lose", "gain", "fail 2"] as const) await take(step);
    assert.deepEqual(fieldsOf, {
      "takes builds": { replica: "a" },
      "takes no more builds": { replica: "a" },
      "could not list what there is": { err: new Error("cut off") },
    });
  });

  test("has the replica's name and knows which others live", () => {
    const { term } = setUp();
    assert.equal(term.name, "a");
    assert.equal(term.isAlive("b"), true);
    assert.equal(term.isAlive("c"), false);
  });
});
