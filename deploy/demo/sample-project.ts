import { createGitRepository, type GitFiles, type ZuulChange } from "../../tests/support/git/git-repository.ts";

/** A change of the sample project, with the number that Gerrit would have given it. */
export interface SampleChange extends ZuulChange {
  number: number;
}

export interface SampleProject {
  /** Makes a change that Zuul's merger has merged into the branch. Changes are numbered from 1. */
  change(message: string, files: GitFiles): Promise<SampleChange>;
}

export const SAMPLE_PROJECT = "example/calculator";
const BRANCH = "master";

/** Makes the repository below `root`: a small calculator with tests, which need nothing but a shell. */
export async function createSampleProject(root: string): Promise<SampleProject> {
  const repository = await createGitRepository(root, SAMPLE_PROJECT);
  await repository.commit(BRANCH, "A calculator for whole numbers", {
    "calculator.sh": CALCULATOR,
    "run-tests.sh": executable(RUN_TESTS),
    "check-style.sh": executable(CHECK_STYLE),
    "benchmark.sh": executable(BENCHMARK),
    "soak-test.sh": executable(SOAK_TEST),
    "migrate.sh": executable(MIGRATE),
    "migrations/1-2.sh": '# Says what is added how.\nsed -i "s/ + / plus /" "$1"\n',
    "tests/add.sh": 'check "add 2 and 3" 5 "$(add 2 3)"\ncheck "add a negative number" -1 "$(add 2 -3)"\n',
    "tests/divide.sh": 'check "divide 42 by 6" 7 "$(divide 42 6)"\ncheck "divide by zero" "not a number" "$(divide 1 0)"\n',
    "tests/multiply.sh": 'check "multiply 6 by 7" 42 "$(multiply 6 7)"\n',
  });
  let count = 0;
  return {
    async change(message, files) {
      count += 1;
      return { ...(await repository.change(BRANCH, message, files)), number: count };
    },
  };
}

/** The calculator, with `multiply` broken. */
export function breakMultiply(): GitFiles {
  return { "calculator.sh": CALCULATOR.replace('"$1" \\* "$2"', '"$1" + "$2"') };
}

function executable(content: string): { content: string; mode: "100755" } {
  return { content, mode: "100755" };
}

const CALCULATOR = `# A calculator for whole numbers: . ./calculator.sh; add 2 3
add() { expr "$1" + "$2"; }
subtract() { expr "$1" - "$2"; }
multiply() { expr "$1" \\* "$2"; }
divide() {
  if [ "$2" -eq 0 ]; then
    echo "not a number"
  else
    expr "$1" / "$2"
  fi
}
`;

const RUN_TESTS = `#!/bin/sh
# Runs tests/*.sh. With --summary FILE, the outcome in one line goes to that file too; with --junit FILE, every test as junit XML.
. ./calculator.sh
summary_file=/dev/null
junit_file=/dev/null
while [ $# -gt 0 ]; do
  case $1 in
    --summary) summary_file=$2 ;;
    --junit) junit_file=$2 ;;
    *) echo "unknown: $1" && exit 2 ;;
  esac
  shift 2
done
count=0
failed=0
first=
cases=
# check WHAT EXPECTED FOUND
check() {
  count=$((count + 1))
  if [ "$2" = "$3" ]; then
    echo "ok $count - $1"
    cases="$cases<testcase classname='calculator' name='$1'/>"
  else
    echo "not ok $count - $1 (expected $2, got $3)"
    cases="$cases<testcase classname='calculator' name='$1'><failure message='expected $2, got $3'/></testcase>"
    failed=$((failed + 1))
    first=\${first:-"$1 (expected $2, got $3)"}
  fi
}
for file in tests/*.sh; do
  . "./$file"
done
if [ $failed -eq 0 ]; then
  summary="all $count tests passed"
else
  summary="$failed of $count tests failed - $first"
fi
echo "$summary"
echo "$summary" > "$summary_file"
echo "<testsuite>$cases</testsuite>" > "$junit_file"
[ $failed -eq 0 ]
`;

const CHECK_STYLE = `#!/bin/sh
# Fails when a line of a script ends with blanks.
if grep -n ' $' ./*.sh tests/*.sh; then
  echo "lines above end with blanks"
  exit 1
fi
echo "no line ends with blanks"
`;

const BENCHMARK = `#!/bin/sh
. ./calculator.sh
start=$(date +%s)
sum=0
rounds=0
while [ $(($(date +%s) - start)) -lt 1 ]; do
  sum=$(add $sum 1)
  rounds=$((rounds + 1))
done
echo "$rounds additions a second"
`;

const SOAK_TEST = `#!/bin/sh
# Adds for eight hours.
echo "adding numbers for eight hours"
. ./calculator.sh
sum=0
end=$(($(date +%s) + 8 * 3600))
while [ "$(date +%s)" -lt $end ]; do
  sum=$(add $sum 1)
  sleep 1
done
`;

const MIGRATE = `#!/bin/sh -e
# migrate.sh LEDGER: runs migrations/*.sh on it, one after another.
for migration in migrations/*.sh; do
  step=$(basename "$migration" .sh | sed 's/-/->/')
  echo "migration $step begins"
  sh -e "$migration" "$1"
  echo "migration $step is done"
done
`;

/** A migration that needs a second for each line. */
export function slowMigration(): GitFiles {
  return { "migrations/2-3.sh": '# Works everything out.\nwhile read -r line; do\n  sleep 1\ndone < "$1"\n' };
}

/** The benchmark, with so much to do that it takes minutes. */
export function slowBenchmark(): GitFiles {
  return { "benchmark.sh": executable(BENCHMARK.replace("-lt 1 ]", "-lt 300 ]").replace("sum=$(add $sum 1)", "sleep 1")) };
}
