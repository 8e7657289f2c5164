import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PodScript } from "../../../support/fake-kube/play-node.ts";
import type { StoredObject } from "../../../support/fake-kube/resource-rules.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { splitGerritCommand } from "../../../support/zuul/gerrit-command.ts";
import { startZuulLauncher, type ZuulCompleted } from "../../../support/zuul/zuul-launcher.ts";
import { startStage } from "../stage.ts";

/** What a build's pod says: a failing test's own words, or why it cannot start. */
const WORDS: { said: PodScript; ascii: string; utf8?: string }[] = [
  {
    said: { message: 'AssertionError: expected "hello world" but got "goodbye world"' },
    ascii: "AssertionError - expected hello world but got goodbye world",
  },
  { said: { message: 'missing " at the end of line 7' }, ascii: "missing at the end of line 7" },
  { said: { message: 'x" --label Verified=2 --submit --tag "' }, ascii: "x --label Verified=2 --submit --tag" },
  { said: { message: "it's C:\\temp\\report.xml: `id` $(id)" }, ascii: "its C-/temp/report.xml - id (id)" },
  { said: { message: "＂ --submit ＂\nmore" }, ascii: "submit" },
  { said: { message: "2 von 3 Prüfungen ✗ 😀" }, ascii: "2 von 3 Prufungen x ?", utf8: "2 von 3 Prüfungen ✗ 😀" },
  { said: { message: "ＳＵＣＣＥＳＳ" }, ascii: "FAILURE" },
  { said: { message: `${"a word and ".repeat(12)}"` }, ascii: `${"a word and ".repeat(10)}a word...` },
  {
    said: { waiting: { reason: "InvalidImageName", message: 'couldn\'t parse image name "Bad Name": invalid reference format' } },
    ascii: "CONFIG_ERROR - invalid image name - could not parse image name Bad Name - invalid reference format",
  },
];

const script = (job: StoredObject): PodScript => {
  const parameters = JSON.parse(job.spec.template.metadata.annotations["turbo-hipster.io/parameters"]);
  const said = WORDS[parameters.CASE]?.said;
  return said ? { exitCode: 1, ...said } : {};
};

function assertReported({ result, url, review, mail }: ZuulCompleted, expected: string, vote: string): void {
  assert.equal(result, expected);
  const [gerrit, command, , project, , message = "", ...others] = splitGerritCommand(review ?? "");
  assert.deepEqual([gerrit, command, project, ...others], ["gerrit", "review", "openstack/nova", "--label", vote, "1234,1"]);
  assert.equal(message.replace(/ in \d+s\n$/, ""), `Build ${vote.endsWith("-1") ? "failed" : "succeeded"}.\n\n- ${url} : ${expected}`);
  assert.ok(mail?.endsWith(message), `the mail holds the report: ${mail}`);
}

describe("Zuul's reporters", () => {
  for (const [kind, start] of [
    ["gearmand", () => startGearmand()],
    ["geard", () => startGeard()],
  ] as const) {
    test(`review and mail what the operator sends, as it was sent, over ${kind}`, async () => {
      await using stage = await startStage({ start, tasks: { unit: {}, gate: { pipelines: ["gate"] } }, script });
      await using zuul = await startZuulLauncher({ server: stage.server.address, patient: true });
      const all = WORDS.map((_, index) => zuul.launch({ job: "unit", params: { CASE: index } }).completed);
      for (const [index, completed] of all.entries()) assertReported(await completed, WORDS[index]?.ascii ?? "", "verified=-1");
      const refused = await zuul.launch({ job: "gate", pipeline: 'the "check"' }).completed;
      assertReported(refused, "CONFIG_ERROR - pipeline the check is none of those that TestTask gate takes builds of", "verified=-1");
      assertReported(await zuul.launch({ job: "unit" }).completed, "SUCCESS", "verified=1");
      const [job] = stage.jobs().filter(({ metadata }) => metadata.annotations?.["turbo-hipster.io/verdict"]?.includes("hello"));
      const verdict = JSON.parse(job?.metadata.annotations?.["turbo-hipster.io/verdict"] ?? "{}");
      assert.equal(verdict.message, 'AssertionError: expected "hello world" but got "goodbye world"', "the Job has the whole");
    });
  }

  test("review letters of every script where the configuration lets them pass, and nothing else", async () => {
    await using stage = await startStage({ start: () => startGeard(), config: { results: "utf-8" }, tasks: { unit: {} }, script });
    await using zuul = await startZuulLauncher({ server: stage.server.address, patient: true });
    const all = WORDS.map((_, index) => zuul.launch({ job: "unit", params: { CASE: index } }).completed);
    for (const [index, completed] of all.entries()) {
      const { ascii, utf8 = ascii } = WORDS[index] ?? { ascii: "" };
      const { result, review } = await completed;
      assert.equal(result, utf8);
      const words = splitGerritCommand(review ?? "");
      assert.deepEqual(words.slice(6), ["--label", "verified=-1", "1234,1"], words[5]);
    }
  });
});
