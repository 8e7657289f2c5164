import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { datasetQuery, matchingDatasets } from "../../../../src/core/test-task/datasets.ts";
import { parseParameters } from "../../../../src/core/zuul/parameters.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

const configMap = { name: "c" };
const { spec } = makeTask({
  datasets: [
    { name: "all", configMap },
    { name: "nova", configMap, projects: ["openstack/nova", "openstack/nova-lib"] },
    { name: "master", configMap, branches: ["master"] },
    { name: "both", configMap, projects: ["openstack/nova"], branches: ["stable/2024.1", "master"] },
  ],
});

const ROWS: [parameters: object, names: string[]][] = [
  [{ ZUUL_PROJECT: "openstack/nova", ZUUL_BRANCH: "master" }, ["all", "nova", "master", "both"]],
  [{ ZUUL_PROJECT: "openstack/nova", ZUUL_BRANCH: "stable/2023.2" }, ["all", "nova"]],
  [{ ZUUL_PROJECT: "openstack/nova-lib", ZUUL_BRANCH: "master" }, ["all", "nova", "master"]],
  [{ ZUUL_PROJECT: "openstack/nov", ZUUL_BRANCH: "mast" }, ["all"]],
  [{ ZUUL_PROJECT: "openstack/nova" }, ["all", "nova"]],
  [{ ZUUL_PROJECT: "openstack/nova", ZUUL_BRANCH: "" }, ["all", "nova"]],
  [{ ZUUL_PROJECT: ["openstack/nova"], ZUUL_BRANCH: 1 }, ["all"]],
  [{}, ["all"]],
];

describe("matchingDatasets", () => {
  for (const [parameters, names] of ROWS) {
    test(`of a build with ${JSON.stringify(parameters)} are ${names.join(", ")}`, () => {
      const parsed = parseParameters(Buffer.from(JSON.stringify(parameters)));
      assert.ok(parsed.ok);
      const found = matchingDatasets(spec, datasetQuery(parsed.parameters));
      assert.deepEqual(
        found.map(({ name }) => name),
        names,
      );
    });
  }

  test("are none of a task that has none", () => {
    assert.deepEqual(matchingDatasets(makeTask({}).spec, { project: "openstack/nova", branch: "master" }), []);
  });
});
