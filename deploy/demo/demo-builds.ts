import { breakMultiply, SAMPLE_PROJECT, type SampleChange, type SampleProject, slowBenchmark, slowMigration } from "./sample-project.ts";

/** A build that the demo asks for, and what must come of it. */
export interface PlannedBuild {
  jobName: string;
  change: SampleChange;
  /** The result as Zuul takes it; null: none, Zuul runs it again. */
  expected: string | null;
  /** Zuul stops it as soon as its test runs. */
  isStopped: boolean;
  /** Its pod is deleted as soon as its test runs. */
  losesPod: boolean;
}

/** One after the other, each with what a person should know of it. */
interface Scene {
  title: string;
  build: PlannedBuild;
}

export const UNIT_JOB = "calculator-unit";

export async function planScenes(project: SampleProject): Promise<Scene[]> {
  const good = await project.change("Test that adding nothing changes nothing", {
    "tests/add-nothing.sh": 'check "add 0 to 5" 5 "$(add 5 0)"\n',
  });
  const broken = await project.change("Make multiplying faster", breakMultiply());
  const slow = await project.change("Measure more precisely", slowBenchmark());
  const outdated = await project.change("Subtract too", { "tests/subtract.sh": 'check "subtract 2 from 5" 3 "$(subtract 5 2)"\n' });
  const unlucky = await project.change("Say what is added", { "tests/add-two.sh": 'check "add 2 to 2" 4 "$(add 2 2)"\n' });
  const early = await project.change("Prepare a release", { "tests/add-three.sh": 'check "add 3 to 3" 6 "$(add 3 3)"\n' });
  return [
    {
      title: "A change whose tests pass",
      build: plan(UNIT_JOB, good, "SUCCESS"),
    },
    {
      title: "A change that breaks a test: the build fails with the test's own sentence",
      build: plan(UNIT_JOB, broken, "1 of 5 tests failed - multiply 6 by 7 (expected 42, got 13)"),
    },
    {
      title: "A change that makes the benchmark too slow: it is stopped after its 5 s",
      build: plan("calculator-benchmark", slow, "TIMED_OUT"),
    },
    {
      title: "A test of eight hours that Zuul stops, as it does when a newer patchset comes",
      build: { ...plan("calculator-soak", outdated, "ABORTED"), isStopped: true },
    },
    {
      title: "A pod that is lost under its test (deleted here): no result, the change is not to blame, and Zuul would run it again",
      build: { ...plan("calculator-soak", unlucky, null), losesPod: true },
    },
    {
      title: "A release asked for by the check pipeline, of which its TestTask takes no builds",
      build: plan("calculator-release", early, "CONFIG_ERROR - pipeline check is none of those that TestTask release takes builds of"),
    },
  ];
}

/** The datasets of TestTask migration, in its order. */
export const MIGRATION_DATASETS = ["small", "large"];

/** A build that runs on both of its task's datasets. */
export async function planMigration(project: SampleProject): Promise<PlannedBuild> {
  const change = await project.change("Work everything out beforehand", slowMigration());
  return plan("calculator-migration", change, "WARNING - Migration 2->3 took too long (large, 1 of 2 datasets failed)");
}

/** `count` builds of as many changes; some break the tests, some the style. */
export async function planCrowd(project: SampleProject, count: number): Promise<PlannedBuild[]> {
  const builds: PlannedBuild[] = [];
  for (let index = 1; index <= count; index += 1) {
    builds.push(await planOfCrowd(project, index));
  }
  return builds;
}

async function planOfCrowd(project: SampleProject, index: number): Promise<PlannedBuild> {
  const test = `check "add ${index} and 1" ${index + 1} "$(add ${index} 1)"\n`;
  if (index % 10 === 3) {
    const change = await project.change(`Expect too much of ${index}`, {
      [`tests/add-${index}.sh`]: test.replace(`${index + 1} "`, '100 "'),
    });
    return plan(UNIT_JOB, change, `1 of 6 tests failed - add ${index} and 1 (expected 100, got ${index + 1})`);
  }
  if (index % 10 === 6) {
    const change = await project.change(`Leave blanks behind in ${index}`, { [`tests/add-${index}.sh`]: test.replace("\n", "  \n") });
    return plan("calculator-style", change, "FAILURE");
  }
  const change = await project.change(`Test adding 1 to ${index}`, { [`tests/add-${index}.sh`]: test });
  return plan(index % 4 === 0 ? "calculator-style" : UNIT_JOB, change, "SUCCESS");
}

function plan(jobName: string, change: SampleChange, expected: string | null): PlannedBuild {
  return { jobName, change, expected, isStopped: false, losesPod: false };
}

/** The command that asks for a build of a change again. */
export function submitCommandLine({ jobName, change }: PlannedBuild, servers: { gearman: string; zuulUrl: string }): string {
  return [
    `node_modules/.bin/node src/main.ts submit ${jobName} --server ${servers.gearman} --zuul-url ${servers.zuulUrl}`,
    `--project ${SAMPLE_PROJECT} --change ${change.number},1 --ref ${change.ref} --commit ${change.commit}`,
  ].join(" \\\n    ");
}
