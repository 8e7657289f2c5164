import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KubeObject } from "../../../../src/core/kubernetes/objects.ts";
import type { KubeClient, WatchOptions } from "../../../../src/kube/client/kube-client.ts";
import { KubeError } from "../../../../src/kube/client/kube-error.ts";
import { PODS } from "../../../../src/kube/client/resource.ts";
import { makeListWatch } from "../../../../src/kube/watch/list-watch.ts";
import { type Clock, systemClock } from "../../../../src/runtime/clock.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

/** What one watch does: how long it lasts, and how it ends. */
interface WatchTurn {
  readonly lastsMs?: number;
  readonly throws?: KubeError;
}

/**
 * Runs a list-watch against scripted watches on a clock that only its own sleeps and the watches' durations move, until the script is at
 * its end. Returns what it slept, what it asked for and when.
 */
async function play(turns: readonly WatchTurn[], { random = 0.5, relistMs = 1e9 }: { random?: number; relistMs?: number } = {}) {
  let now = 0;
  const slept: number[] = [];
  const asked: string[] = [];
  const watchOptions: WatchOptions[] = [];
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => now,
    async sleep(delayMs) {
      slept.push(Math.round(delayMs));
      now += delayMs;
    },
  };
  let turn = 0;
  const client = {
    async list() {
      asked.push(`list ${now}`);
      return { items: [], metadata: { resourceVersion: "7" } };
    },
    async *watch(_resource: unknown, _namespace: unknown, options: WatchOptions): AsyncGenerator<never> {
      watchOptions.push(options);
      asked.push(`watch ${options.resourceVersion}`);
      const { lastsMs = 0, throws } = turns[turn] ?? {};
      if (turn >= turns.length) {
        end();
        await new Promise((_, reject) => options.signal.addEventListener("abort", reject));
      }
      turn += 1;
      now += lastsMs;
      if (throws !== undefined) throw throws;
    },
  } as unknown as KubeClient;
  const listWatch = makeListWatch<KubeObject>({
    client,
    resource: PODS,
    namespaces: ["ci"],
    onChange() {},
    logger: silentLogger,
    clock,
    times: { backoffBaseMs: 100, backoffMaxMs: 1_000, relistMs, watchSeconds: 240 },
    random: () => random,
  });
  await listWatch.start();
  await ended;
  const heard = listWatch.lastHeardMsAgo();
  const lockedOut = listWatch.lockedOutMs();
  await listWatch.stop();
  return { slept, asked, watchOptions, heard, lockedOut };
}

const error = (retryAfterMs?: number) => new KubeError("TH_KUBE_BUSY", "busy", { status: 429, retryable: true, retryAfterMs });
const times = <T>(count: number, item: T) => Array.from({ length: count }, () => item);

describe("the waits of a list-watch", () => {
  it("grow with each failure up to their limit, half of each at random", async () => {
    assert.deepEqual((await play(times(6, { throws: error() }), { random: 0 })).slept, [50, 100, 200, 400, 500, 500]);
    assert.deepEqual((await play(times(6, { throws: error() }), { random: 0.99 })).slept, [100, 199, 398, 796, 995, 995]);
  });

  it("are at least what the server asked for and a little more, but no longer than a minute and a quarter", async () => {
    assert.deepEqual((await play([{ throws: error(3_000) }], { random: 0 })).slept, [3_000]);
    assert.deepEqual((await play([{ throws: error(3_000) }], { random: 0.8 })).slept, [3_600]);
    assert.deepEqual((await play([{ throws: error(1e9) }], { random: 0 })).slept, [60_000]);
  });

  it("begin anew after a watch that lasted", async () => {
    const turns = [{ throws: error() }, { throws: error() }, { lastsMs: 5_000 }, { throws: error() }];
    assert.deepEqual((await play(turns, { random: 0 })).slept, [50, 100, 50]);
  });

  it("are nothing after a watch that ended in its time, but grow when watches end at once, again and again", async () => {
    assert.deepEqual((await play(times(5, { lastsMs: 240_000 }))).slept, []);
    assert.deepEqual((await play(times(5, { lastsMs: 3 }), { random: 0 })).slept, [50, 100, 200, 400, 500]);
  });
});

describe("the questions of a list-watch", () => {
  it("are one list, and then watches only, while watches end in the normal way or fail with no need of a list", async () => {
    const { asked } = await play([{ lastsMs: 240_000 }, { throws: error() }, { lastsMs: 240_000 }]);
    assert.deepEqual(asked, ["list 0", ...times(4, "watch 7")]);
  });

  it("are a list again after its time, a fifth more or less, at the end of the watch", async () => {
    const listsAt = async (random: number) => {
      const { asked } = await play(times(5, { lastsMs: 100 * 60_000 }), { random, relistMs: 200 * 60_000 });
      return asked.filter((each) => each.startsWith("list")).map((each) => Number(each.split(" ")[1]) / 60_000);
    };
    assert.deepEqual(await listsAt(0), [0, 200, 400]);
    assert.deepEqual(await listsAt(0.99), [0, 300]);
  });

  it("ask for watches of different lengths, so that not all end in the same moment", async () => {
    assert.equal((await play([], { random: 0 })).watchOptions[0]?.timeoutSeconds, 240);
    assert.equal((await play([], { random: 0.5 })).watchOptions[0]?.timeoutSeconds, 300);
  });

  it("make its age: the time since a list, an event or a normal end", async () => {
    assert.equal((await play([{ lastsMs: 5_000 }])).heard, 0);
    assert.equal((await play([{ lastsMs: 5_000, throws: error() }], { random: 0 })).heard, 5_050);
  });

  it("tell how long it may not watch: since the first refusal, whatever else fails meanwhile, until it is heard again", async () => {
    const refused = { throws: new KubeError("TH_KUBE_UNAUTHORIZED", "who?", { status: 401 }) };
    const forbidden = { throws: new KubeError("TH_KUBE_FORBIDDEN", "no", { status: 403 }) };
    const busy = { throws: error() };
    assert.equal((await play([busy, { lastsMs: 5_000, ...busy }], { random: 0 })).lockedOut, 0);
    assert.equal((await play([busy, refused, { lastsMs: 5_000, ...busy }, forbidden], { random: 0 })).lockedOut, 100 + 5_000 + 200 + 400);
    assert.equal((await play([refused, { lastsMs: 5_000 }, busy])).lockedOut, 0);
  });
});
