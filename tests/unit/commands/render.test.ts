import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { renderCommand } from "../../../src/commands/render.ts";
import { renderJob } from "../../../src/core/job/manifest.ts";
import { buildNumber } from "../../../src/core/job/name.ts";
import { parseTestTask } from "../../../src/core/test-task/test-task.ts";
import { readBuildFunction } from "../../../src/core/zuul/function-name.ts";
import { parseParameters } from "../../../src/core/zuul/parameters.ts";
import { InputError } from "../../../src/runtime/errors.ts";
import { sha256Hex } from "../../../src/runtime/sha256.ts";

const TASK = {
  apiVersion: "turbo-hipster.io/v1alpha1",
  kind: "TestTask",
  metadata: { name: "unit", namespace: "ci" },
  spec: { jobs: ["a", "b"], image: "python:3.12", script: "echo $HOME: '#no comment'\n\ttab\n", nodeLabels: [{ name: "bionic" }] },
};
const PARAMETERS = '{"ZUUL_UUID": "0123456789abcdef0123456789abcdef", "LOG_PATH": "1/2", "odd": "yes: [no]\\n\\u0085\\u2028"}';

describe("turbo-hipster render", () => {
  let directory: string;
  const path = (name: string) => join(directory, name);

  before(() => {
    directory = mkdtempSync(join(tmpdir(), "th-render-"));
    writeFileSync(path("task.yaml"), JSON.stringify(TASK));
    writeFileSync(path("two.yaml"), `${JSON.stringify(TASK)}\n---\n${JSON.stringify({ ...TASK, metadata: { name: "other" } })}`);
    writeFileSync(path("bad.yaml"), "apiVersion: turbo-hipster.io/v1alpha1\nkind: TestTask\nmetadata: {name: unit}\nspec:\n  image: ''\n");
    writeFileSync(
      path("beside.yaml"),
      `${JSON.stringify(TASK)}\n---\n${JSON.stringify({ ...TASK, metadata: { name: "bad" }, spec: {} })}\n---\na: 1`,
    );
    writeFileSync(path("none.yaml"), "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n");
    writeFileSync(path("params.json"), PARAMETERS);
    writeFileSync(path("list.json"), "[1]");
    writeFileSync(path("config.yaml"), "installation: ours\nimage: mirror/turbo-hipster:1\ngearman: {servers: [zuul]}\n");
  });
  after(() => rmSync(directory, { recursive: true }));

  async function render(...args: string[]): Promise<string> {
    const written: string[] = [];
    const write = process.stdout.write;
    process.stdout.write = ((text: string) => written.push(text) > 0) as typeof write;
    try {
      await renderCommand().parseAsync(args, { from: "user" });
    } finally {
      process.stdout.write = write;
    }
    return written.join("");
  }

  test("prints all Jobs of a build that several datasets match", async () => {
    const datasets = ["one", "two"].map((name) => ({ name, configMap: { name } }));
    writeFileSync(path("datasets.yaml"), JSON.stringify({ ...TASK, spec: { ...TASK.spec, datasets } }));
    const jobs = parseAllDocuments(await render(path("datasets.yaml"))).map((document) => document.toJS());
    assert.deepEqual(
      jobs.map(({ metadata }) => [metadata.name.slice(-2), metadata.labels["turbo-hipster.io/dataset"]]),
      [
        ["-0", "one"],
        ["-1", "two"],
      ],
    );
  });

  test("prints YAML that reads back as the very Job the operator would make", async () => {
    const printed = parse(
      await render(path("task.yaml"), "--params", path("params.json"), "--function", "build:b:bionic", "--config", path("config.yaml")),
    );
    const parsed = parseTestTask(TASK);
    const parameters = parseParameters(Buffer.from(PARAMETERS));
    assert.ok(parsed.ok && parameters.ok);
    const identity = {
      server: "zuul:4730",
      functionName: "build:b:bionic",
      unique: "0123456789abcdef0123456789abcdef",
      payloadHash: sha256Hex(PARAMETERS).slice(0, 16),
    };
    const number = buildNumber(parsed.task.metadata, identity, sha256Hex);
    const job = renderJob({
      task: parsed.task,
      function: readBuildFunction("build:b:bionic"),
      parameters: parameters.parameters,
      request: {
        server: identity.server,
        unique: identity.unique,
        number,
        logPath: "1/2",
        payloadHash: identity.payloadHash,
        handle: null,
        replica: "render",
        since: "1970-01-01T00:00:00.000Z",
      },
      settings: {
        installation: "ours",
        image: "mirror/turbo-hipster:1",
        internalUrl: "http://operator:8081",
        checkout: { allowedUrls: [] },
      },
    });
    assert.deepEqual(printed, JSON.parse(JSON.stringify(job)));
  });

  test("needs nothing but a file: the task's first function, no parameters", async () => {
    const job = parse(await render(path("task.yaml")));
    assert.equal(job.metadata.annotations["turbo-hipster.io/function"], "build:a");
    assert.match(job.metadata.name, /^unit-[0-9a-f]{16}$/);
  });

  test("takes the TestTask that is named where a file holds several", async () => {
    assert.match(parse(await render(path("two.yaml"), "--task", "other")).metadata.name, /^other-/);
  });

  test("takes a TestTask beside one that is invalid, when it is named", async () => {
    assert.match(parse(await render(path("beside.yaml"), "--task", "unit")).metadata.name, /^unit-/);
  });

  const bad: [string, string[], RegExp][] = [
    ["a file that is not there", ["nowhere.yaml"], /cannot read .*nowhere\.yaml \(ENOENT\)/],
    ["a file without a TestTask", ["none.yaml"], /none\.yaml holds no TestTask$/],
    ["an invalid TestTask", ["bad.yaml"], /bad\.yaml holds an invalid TestTask:\n {2}.*bad\.yaml:5: spec\.image: /],
    ["an invalid TestTask beside a valid one", ["beside.yaml"], /beside\.yaml holds an invalid TestTask:\n {2}.*beside\.yaml:3: spec: /],
    ["an invalid TestTask that is named", ["beside.yaml", "--task", "bad"], /beside\.yaml holds an invalid TestTask:\n/],
    ["several TestTasks", ["two.yaml"], /holds several TestTasks; name one with --task: unit, other/],
    ["a name that is not in the file", ["two.yaml", "--task", "x"], /holds no TestTask x, but unit, other/],
    [
      "a function of another task",
      ["task.yaml", "--function", "build:x"],
      /--function build:x: ci\/unit serves build:a, build:a:bionic, build:b/,
    ],
    ["parameters that are not there", ["task.yaml", "--params", "nowhere.json"], /cannot read .*nowhere\.json \(ENOENT\)/],
    [
      "parameters that are no object",
      ["task.yaml", "--params", "list.json"],
      /list\.json: the parameters of the request are no JSON object/,
    ],
    ["a configuration that is none", ["task.yaml", "--config", "none.yaml"], /none\.yaml is no valid configuration:\n/],
  ];
  for (const [name, args, message] of bad) {
    test(`says what is wrong with ${name}`, async () => {
      const files = args.map((arg) => (/\.(yaml|json)$/.test(arg) ? path(arg) : arg));
      await assert.rejects(render(...files), (error: Error) => {
        assert.ok(error instanceof InputError, String(error.stack));
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
