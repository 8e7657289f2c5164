import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import { detailBuild } from "../../../../src/core/report/build-details.ts";

const HOSTILE = "it's $(touch /tmp/x) `id` \"\\ \u202e \x1b[31m\nEND_OF_JOB\n--privileged";
const PARAMETERS = {
  ZUUL_URL: "https://zuul:hunter2@merger.example.org/p",
  ZUUL_PROJECT: "org/project",
  ZUUL_REF: "--upload-pack=id",
  TITLE: HOSTILE,
  DEPLOY_TOKEN: "s3cret",
};
const OURS = { "app.kubernetes.io/managed-by": "turbo-hipster", "turbo-hipster.io/installation": "t", "turbo-hipster.io/task": "unit" };

function makeJob(): Job {
  const env = [
    ...Object.entries(PARAMETERS).map(([name, value]) => ({ name, value: value.replaceAll("$", "$$$$") })),
    { name: "DB_PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } },
    { name: "TH_BUILD_ID", value: "unit-1" },
    { name: "PYPI_TOKEN", value: "plain-s3cret" },
    { name: "INDEX", value: "https://bot:hunter2@pypi.example.org/ https://t0ken@pypi.example.org/" },
  ];
  const annotations = { "turbo-hipster.io/parameters": JSON.stringify(PARAMETERS), "turbo-hipster.io/script": `echo ${HOSTILE}` };
  const service = { name: "db", image: "postgres:17", env: [{ name: "POSTGRES_PASSWORD", value: "s3cret too" }] };
  const spec = {
    initContainers: [service],
    containers: [{ name: "test", image: "python:3.12", workingDir: "/workspace/org/project", env }],
  };
  return {
    metadata: { name: "unit-1", namespace: "ci", labels: { ...OURS, team: "a" } },
    spec: { template: { metadata: { annotations }, spec } },
  };
}

/** What a shell makes of the lines: the words of each command that they call, and what kubectl would read. */
function play(lines: string): { calls: string[][]; input: string } {
  const tell = (name: string) => `${name}() { { printf 'call\\0'; printf '%s\\0' ${name} "$@"; } >&3; }`;
  const script = [...["git", "docker", "chmod"].map(tell), "kubectl() { cat; }", 'cd "$(mktemp -d)"', lines].join("\n");
  const { stdout, output } = spawnSync("bash", ["-c", script], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe", "pipe"] });
  const calls = String(output[3]).split("call\0").slice(1);
  return { calls: calls.map((call) => call.split("\0").slice(0, -1)), input: stdout };
}

describe("how a test is run again", () => {
  const { again, parameters, containers } = detailBuild(makeJob());

  test("on one's own machine: every value is one word, whatever it holds, and nothing becomes an option", () => {
    const { calls } = play(again.docker ?? "");
    const fetch = calls.find((call) => call.includes("fetch"));
    assert.deepEqual(fetch?.slice(-3), ["--", "https://zuul:***@merger.example.org/p/org/project", "--upload-pack=id"]);
    const docker = calls.find(([name]) => name === "docker") ?? [];
    for (const word of [`--env=TITLE=${HOSTILE}`, "--env=DEPLOY_TOKEN", "--env=DB_PASSWORD", "--entrypoint=sh"]) {
      assert.ok(docker.includes(word), `${word} in ${JSON.stringify(docker)}`);
    }
    assert.deepEqual(docker.slice(-3), ["python:3.12", "-e", "/build-script"]);
    assert.ok(!docker.some((word) => word.includes("TH_BUILD_ID")));
  });

  test("in the cluster: the same pod, as a Job that no operator takes for its own", () => {
    const job = JSON.parse(play(again.kubectl).input);
    assert.deepEqual(job.metadata, { generateName: "unit-again-", labels: { team: "a" } });
    const [container] = job.spec.template.spec.containers;
    const password = container.env.find(({ name }: { name: string }) => name === "DB_PASSWORD");
    assert.deepEqual(password.valueFrom.secretKeyRef, { name: "db", key: "password" });
    assert.equal(job.spec.template.metadata.annotations["turbo-hipster.io/script"], `echo ${HOSTILE}`);
  });

  test("holds no secret, and names those that are needed", () => {
    for (const text of [again.kubectl, again.docker, JSON.stringify(parameters)]) assert.doesNotMatch(String(text), /s3cret|hunter2|t0ken/);
    assert.deepEqual(again.needs, [
      "DB_PASSWORD: Secret db, key password",
      "DEPLOY_TOKEN: a parameter that looks like a secret",
      "PYPI_TOKEN: a variable of the task that looks like a secret",
    ]);
    assert.deepEqual(containers.slice(1), [{ name: "test", image: "python:3.12", isTest: true }]);
  });
});
