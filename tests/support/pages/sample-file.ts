import type { BuildFile } from "../../../src/core/logs/build-file.ts";
import { DETAILS, sampleBuild } from "./sample-pages.ts";

export const FAILED = sampleBuild();

/** What is stored of it: all that there may be. */
export const FAILED_FILE: BuildFile = {
  ...{
    version: 1,
    build: { ...FAILED, verdict: { ...FAILED.verdict, evidence: { container: "test", exitCode: 1 } } as BuildFile["build"]["verdict"] },
  },
  details: DETAILS,
  containers: [
    {
      ...{ name: "test", image: "python:3.12", imageId: `docker.io/library/python@sha256:${"0123456789abcdef".repeat(4)}`, exitCode: 1 },
      ...{ reason: "Error", startedAt: "2026-11-28T09:41:10Z", finishedAt: "2026-11-28T09:52:40Z" },
    },
    { name: "db", image: "postgres:17", imageId: `docker.io/library/postgres@sha256:${"fedcba9876543210".repeat(4)}` },
  ],
  commits: [
    {
      ...{
        project: "openstack/nova",
        ref: "refs/zuul/master/Z0f8e7d6c5b4a39281706f5e4d3c2b1a0",
        commit: "4f1d2c3b4a5968778695a4b3c2d1e0f012345678",
      },
      ...{ subject: "Refuse what is over quota with 403", url: "https://zuul.example.org/p/openstack/nova" },
    },
    {
      ...{ project: "openstack/oslo.messaging", ref: "refs/heads/master", commit: "99887766554433221100ffeeddccbbaa99887766" },
      ...{ subject: 'Merge "Drop six"', url: "https://zuul.example.org/p/openstack/oslo.messaging" },
    },
  ],
  logs: [{ container: "db", file: "db.log", bytes: 100, runs: [], holes: [], attempts: [], points: [] }],
  artifacts: {
    files: [
      "coverage/index.html",
      "junit.xml",
      "logs/nova-api.log",
      "screenshots/dashboard.png",
      ...Array.from({ length: 30 }, (_, index) => `logs/worker-${index}.log`),
    ].map((path, index) => ({ path, bytes: 700 * (index + 1) ** 3 })),
    ...{ bytes: 31_000_000, leftOut: [{ name: "core.12", why: "beyond 4294967296 bytes in all" }], leftOutCount: 1 },
    junit: {
      ...{ tests: 314, failures: 2, errors: 0, skipped: 1, seconds: 91.2, unread: [] },
      failed: [
        {
          ...{ file: "junit.xml", name: "nova.tests.unit.test_api.TestApi.test_quota_exceeded", kind: "failure" },
          message:
            "AssertionError: 403 != 500\n\nself = <nova.tests.unit.test_api.TestApi testMethod=test_quota_exceeded>\n\n>       self.assertEqual(403, response.status_int)\nE       AssertionError: 403 != 500",
        },
        {
          file: "junit.xml",
          name: "nova.tests.unit.test_api.TestApi.test_quota_reset",
          kind: "error",
          message: "RuntimeError: no database",
        },
      ],
    },
  },
  problems: [],
};
