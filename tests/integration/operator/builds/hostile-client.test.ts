import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import fc from "fast-check";
import { isUsableUnique } from "../../../../src/core/job/name.ts";
import type { SubmissionEnd } from "../../../../src/gearman/client/gearman-client.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { connectTestClient, untilStatus, within } from "../../gearman/worker/link-harness.ts";
import { answerOf, startStage } from "../stage.ts";

const REQUESTS = 400;
const MANAGER = "turbo-hipster-turbo-hipster";

/** `unique` undefined: one of its own. */
interface Request {
  readonly functionName: string;
  readonly unique: string | undefined;
  readonly payload: Buffer;
}

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "",
    "\0",
    "$(DB_PASSWORD)",
    "../../etc/passwd",
    "-oProxyCommand=id",
    "a\nb: c",
    "$TH $$ `id`",
    "\ud800",
    "__proto__",
    "x".repeat(40_000),
  ),
);
const name = fc.oneof(
  fc.constantFrom(
    "ZUUL_UUID",
    "ZUUL_REF",
    "ZUUL_URL",
    "ZUUL_PROJECT",
    "ZUUL_COMMIT",
    "LOG_PATH",
    "PATH",
    "LD_PRELOAD",
    "TH_RESULT_FILE",
    "__proto__",
    "",
    "a=b",
  ),
  text,
);
const json = fc.oneof(
  { weight: 6, arbitrary: fc.dictionary(name, fc.oneof(text, fc.jsonValue({ maxDepth: 4 })), { maxKeys: 8 }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 5 }) },
);
const payload = fc.oneof(
  { weight: 6, arbitrary: json.map((value) => Buffer.from(JSON.stringify(value) ?? "")) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      Buffer.alloc(0),
      Buffer.from("null"),
      Buffer.from("{"),
      Buffer.from(`${"[".repeat(50_000)}${"]".repeat(50_000)}`),
      Buffer.from(`{"a":${"[".repeat(20_000)}${"]".repeat(20_000)}}`),
      Buffer.from('{"a":1,"a":2}'),
      Buffer.from('\ufeff{"a":1}'),
      Buffer.from(`{"a":"${"x".repeat(200_000)}"}`),
      Buffer.from('{"number":"unit-0","name":"unit"}'),
      Buffer.from("{}\0{}"),
    ),
  },
);
const request: fc.Arbitrary<Request> = fc.record({
  functionName: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom("build:unit", "build:unit:bionic", "build:git") },
    { weight: 2, arbitrary: fc.constant(`stop:${MANAGER}`) },
  ),
  unique: fc.oneof(
    { weight: 5, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom("", "-") },
    { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 15 }).map((each) => each.replaceAll("\0", "")) },
    { weight: 1, arbitrary: fc.constantFrom("u".repeat(63), "u".repeat(64), "u".repeat(300)) },
  ),
  payload,
});

for (const [kind, start] of [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
] as const) {
  describe(`a hostile client of ${kind}`, () => {
    test("has an answer to every request, ends nobody else's build, and changes nothing for the next one", {
      timeout: 240_000,
    }, async (context: TestContext) => {
      const { numRuns = REQUESTS, seed = 0 } = fuzzParameters(context, REQUESTS);
      const requests = fc.sample(request, { numRuns, seed });
      const finished = Promise.withResolvers<void>();
      await using stage = await startStage({
        start,
        config: { maxBuilds: 50 },
        tasks: {
          unit: { nodeLabels: [{ name: "bionic" }] },
          git: { checkout: {} },
          bystander: {},
        },
        script: (job) => (job.metadata.name.startsWith("bystander-") ? { finished: finished.promise } : {}),
      });
      await using client = await connectTestClient(stage.server);
      const bystander = await stage.submit("bystander");
      await stage.until(() => stage.pods().find((pod) => pod.status?.phase === "Running"), "the bystander's pod");

      /** How many requests are the same for the server: gearmand cuts uniques. One with a unique that names nothing is one of its kind. */
      const twins = (functionName: string, unique: string, payload: Buffer) => {
        const cut = (each: string) => (kind === "gearmand" ? each.slice(0, 63) : each);
        if (!isUsableUnique(cut(unique))) return 1;
        const same = (each: Request) =>
          each.functionName === functionName && cut(each.unique ?? "") === cut(unique) && each.payload.equals(payload);
        return requests.filter(same).length;
      };
      const counts = new Map<string, number>();
      const failed: string[] = [];
      const ended = requests.map(async ({ functionName, unique = crypto.randomUUID(), payload }): Promise<void> => {
        const { ended } = client.submit({ functionName, unique, payload });
        const end: SubmissionEnd = await within(ended, () => `${functionName} ${JSON.stringify(unique)} has no answer`, 120_000);
        const outcome = end.kind === "lost" ? end.reason.code : end.kind;
        counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
        // Of two that are the same in all, the later one may have taken the build over; whoever asked earlier is to ask again.
        if (outcome === "fail" && twins(functionName, unique, payload) > 1) return;
        if (outcome === "fail") failed.push(`${functionName} ${JSON.stringify(unique)} ${payload.toString("latin1").slice(0, 500)}`);
        if (functionName.startsWith("build:") && end.kind === "complete") {
          const { result } = JSON.parse(end.payload.toString());
          assert.match(result, /^(SUCCESS$|CONFIG_ERROR - [^\p{C}]{1,107}$)/u);
        }
      });
      await Promise.all(ended);
      context.diagnostic(JSON.stringify(Object.fromEntries(counts)));
      const unexpected = stage.log.items.filter(({ level, message }) => level === "error" || /unexpected/.test(message));
      assert.deepEqual({ failed: failed.slice(0, 3), unexpected: unexpected.slice(0, 3) }, { failed: [], unexpected: [] });
      // gearmand refuses what is longer than it takes.
      const expected = ["complete", "fail", ...(kind === "gearmand" ? ["TH_GEARMAN_REFUSED"] : [])];
      assert.deepEqual(
        [...counts.keys()].filter((outcome) => !expected.includes(outcome)),
        [],
      );

      assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
      finished.resolve();
      assert.equal((await answerOf(bystander)).result, "SUCCESS");
      await untilStatus(stage.server, (status) => [...status.values()].every(({ total }) => total === 0));
    });
  });
}
