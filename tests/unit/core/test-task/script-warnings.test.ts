// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are the shell's
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { scriptWarnings } from "../../../../src/core/test-task/script-warnings.ts";

/** Scripts as projects have them, which do what they say. */
const GOOD: Record<string, string> = {
  "one command": "tox -e py312\n",
  "a list of commands": 'pip install .\npython -m pytest --junitxml="$TH_ARTIFACTS_DIR/junit.xml"\n',
  "conditions of sh": 'if [ "$ZUUL_BRANCH" = master ] || [ -n "$FORCE" ]; then\n  make check\nfi\n[ -d docs ] && make docs\n',
  "a case": 'case "$ZUUL_BRANCH" in\n  stable/*) tox -e stable ;;\n  *) tox ;;\nesac\n',
  "brackets and comparisons in texts": "echo \"use [[ a == b ]] && source x\"\ngrep '==' requirements.txt\nawk '$1 == \"x\" { print }' f\n",
  comments: "# if [[ a ]]; then source b; fi | tee log\nmake # | tee log\n",
  "a here-document with an apostrophe": "cat > run.sh <<'EOF'\n#!/bin/bash\n[[ don't == x ]] && source y\nEOF\nbash run.sh\n",
  "an indented here-document": "cat <<-END\n\tit's [[ x ]]\n\tEND\nmake check\n",
  "two here-documents": "diff - b <<A && cat <<B\n[[ \nA\n[[ \nB\nmake\n",
  "redirections of sh": "make >log 2>&1\nmake >&2\nmake 2>/dev/null </dev/null\nexec 3>&1 4<&0\n",
  arithmetic: "count=$((1 << 4))\nmask=$(( (count & 3) > 2 ? 1 : 0 ))\ntest $mask -eq 0\n",
  "what a pipe filters": "pip freeze | sort > installed.txt\ngit log --oneline | head -5\nfind . -name '*.pyc' | xargs rm -f\n",
  "a pipe from what cannot fail": 'echo "deb http://deb.example.org stable main" | tee /etc/apt/sources.list.d/x.list\nenv | sort | cat\n',
  "a pipe into a variable": 'last=$(git tag | sort -V | tail -1)\n./check "$last"\n',
  "a pipe in a condition": "if ./probe | tail -1; then echo ok; fi\n",
  "a pipe whose end does not matter": "./flaky | tee log || true\nmake check\n",
  "curl into tar": "curl --fail https://example.org/x.tgz | tar xz\n",
  "a FIFO": "mkfifo pipe\ntee log < pipe &\n./run-tests > pipe\n",
  "a trap": 'trap \'rm -rf "$scratch"\' EXIT TERM\nscratch=$(mktemp -d)\n./run "$scratch"\n',
  "a function": 'run() {\n  python -m pytest "$@"\n}\nrun tests/unit\nrun tests/functional\n',
  "a long command": "python -m pytest \\\n  --numprocesses 4 \\\n  tests\n",
  "parameters' expansions": 'name=${ZUUL_PROJECT##*/}\necho "${name%.git}" "${#name}"\nset -eux\n',
  "another language": "#!/usr/bin/env python3\nimport sys\nif x[[0]] == 1: source = [[1]]\nsys.exit(0)\n",
  "node with what bash would mistake": "#!/usr/bin/env node\nconst a = () => b | tee\n",
  "bash that is asked for":
    "#!/bin/bash\nset -euo pipefail\nif [[ $ZUUL_BRANCH == stable/* ]]; then ./run-tests |& tee log; fi\nsource venv/bin/activate\n",
  "bash by env": "#!/usr/bin/env -S bash -e\nmapfile -t files < <(git ls-files)\nprintf '%s\\n' \"${files[@]}\"\n",
  "what asks for bash itself": 'if [ -n "$BASH_VERSION" ]; then\n  source venv/bin/activate\nfi\n',
  "bash with -e in its first line": "#!/bin/bash -ex\nmake\nmake check\n",
  "bash that is told -o errexit": "#!/bin/bash\nmake --version\nset -o errexit -o nounset\nmake\nmake check\n",
  "sh with -e among others": "#!/bin/sh\nset -u -ex\nmake\nmake check\n",
  "bash without -e for one command": "#!/bin/bash\n# the tests\n\nexec tox -e py312\n",
  "bash without -e for what is said to matter": "#!/bin/bash\nmake || exit 1\nmake check\n",
  "bash without -e that counts failures": '#!/bin/bash\n./one\nfailed=$?\n./two\nexit "$((failed + $?))"\n',
  "bash without -e that traps": "#!/bin/bash\ntrap 'exit 1' ERR\nmake\nmake check\n",
  "bash without -e for what can't fail":
    "#!/usr/bin/env bash\nname='a b' other=c\nexport PATH=$PATH:/opt\nrun() {\n  echo \"$1\"\n}\nif [ -f a ]; then\n  exit 1\nfi\ncase $A in\n  b) echo c ;;\nesac\ntox\n",
  PIPESTATUS: "#!/bin/bash\n./run-tests | tee log\nexit ${PIPESTATUS[0]}\n",
  "a pattern with brackets": "rm -f build/[a-z]*.o\nls [[:upper:]]*\n",
  "the arms of a case and a function with a blank":
    "#!/bin/bash\ncase $A in\n  stable) make ;;\n  *) tox ;;\nesac\nrun () {\n  echo a\n}\ntox\n",
  "several assignments": "#!/bin/bash\nABC=one DEF=two\ntox\n",
  "what is looked for in what a pipe shows": "./run-tests | tee log | grep -q passed\n",
  "a pipe from what cannot fail, with variables of its own": "ABC=123 DEF=4 echo b | tee log\n",
  "bash with -e behind others": "#!/bin/bash -xe\nmake\nmake check\n",
  "bash with -e before others": "#!/bin/bash\nset -e -u\nmake\nmake check\n",
  "bash with errexit behind others": "#!/bin/bash\nset -uo  errexit\nmake\nmake check\n",
  "a condition within a loop": "for a in b; do if ./probe | tail -1; then echo ok; fi; done\n",
  "a shell whose ways are others": "#!/usr/bin/env fish\nmake\nmake check\n",
  "a program whose name begins like a shell's": "#!/usr/bin/shtool\nmake\nmake check\n",
  "a server in the background": "./server --port 8080 &\nserver=$!\n./run-tests\nkill $server\nwait\nmake docs\n",
  "one that is waited for by its name": "./one &\nfirst=$!\n./two\nwait $first\n",
  "a copy of file descriptors at the end": "make\n./run-tests >log 2>&1\n",
  "one and another": "make &&\n  make check\n",
  "a #! of what the script writes": "printf '#!/bin/sh\\n' >x\ncat >y <<E\n#!/bin/bash\nE\nmake\n",
  "a comment that looks like it": "#! the tests of nova\nmake\n# !/bin/sh\n",
  "questions before &&": "[ -d docs ] && make docs\ngit diff --quiet && exit 0\ncommand -v tox && tox\ngrep -q x y && make z\nmake check\n",
  "a step before && in the last line": "make deps\ncd src && make check\n\n# done\n",
  "a step before && whose end is looked at":
    "cd src && make || exit 1\nif make && make check; then\n  echo ok\nfi\n(cd src && make)\nmake docs\n",
  "a step before && that only asks": "make -q all && exit 0\nmake --version && echo found\nmake check && exit\nmake\n",
  "a step before && in a function, a branch or a loop":
    "check() {\n  cd src && make\n}\ncheck\nfor a in b; do\n  cd $a && make\ndone\ncase $A in\n  b)\n    cd b && make\n    ;;\nesac\n(\n  cd c && make\n)\nmake check\n",
  "a step before && where -e is off": "set +e\ncd src && make\nmake check\n",
  "a step before && whose end is kept": "cd src && make\nend=$?\n./report\nexit $end\n",
  "a step before && with what then only ends": "cd src && make\nexit\n",
  "a step before && in the background": "cd src && ./server &\n./run-tests\n",
  "a quoted hash": "grep -c '#' file\necho \"a # b\" | grep -q '#'\n",
};

const BAD: [what: string, script: string, line: number, message: RegExp][] = [
  ["[[ under sh", "set -e\nif [[ $ZUUL_BRANCH == master ]]; then\n  make check\nfi\n", 2, /without a first line #!.*\[\[ is not found/],
  ["[[ after &&", "test -n x && [[ -d y ]]\n", 1, /\[\[/],
  ["[[ under a named sh", "#!/bin/sh\n[[ a ]] || exit 1\n", 2, /asks for sh.*\[\[/],
  ["[[ after a here-document", "cat <<'E'\ndon't\nE\n[[ a ]]\n", 4, /\[\[/],
  ["pipefail under sh", "set -euo pipefail\nmake\n", 1, /pipefail is not there/],
  ["== in [ ]", 'if [ "$A" == "b" ]; then make check; fi\n', 1, /== in \[ \]/],
  ["&>", "make check\n./run-tests &> log\n", 2, /runs the command in the background/],
  ["source", "python -m venv v\nsource v/bin/activate\n", 2, /source is not found/],
  ["an array", "files=(a b)\n", 1, /arrays/],
  ["a process substitution", "diff <(a) <(b)\n", 1, /syntax error/],
  ["a here-string", 'grep x <<<"$A"\n', 1, /<<</],
  ["function", "function run {\n  make\n}\n", 1, /function is a syntax error/],
  [
    "a pipe into tee",
    "make\n./run-tests 2>&1 | tee log.txt\n",
    2,
    /a pipe ends as its last command does.*#!\/bin\/bash, then set -eo pipefail/,
  ],
  ["a pipe into tee over two lines", "./run-tests |\n  tee log.txt\n", 1, /a pipe ends/],
  ["a pipe into tail", "python -m pytest | tail -50\n", 1, /a pipe ends/],
  ["a pipe under bash", "#!/bin/bash -e\n./run-tests |& tee log\n", 2, /a pipe ends.*; set -o pipefail$/],
  ["a plain #!/bin/bash", "#!/bin/bash\npip install .\npytest\n", 1, /goes on when a command fails, as on line 2, .*; add set -e below$/],
  ["bash by env", "#!/usr/bin/env bash\nset -u\necho -e x\ncd src\nA='b -e' make\ndone=1\nmake check\n", 1, /as on line 4/],
  ["a named sh, and what it says in the end", "#!/bin/sh\n./run-tests -e\necho done\n", 1, /as on line 2/],
  ["-e in a text or a comment", "#!/bin/bash\n# set -e\necho 'set -e'\nmake\nmake check\n", 1, /as on line 4/],
  ["bash with blanks before it", "#!  /usr/bin/env  bash\nmake\nmake check\n", 1, /as on line 2/],
  ["bash by env -S", "#!/usr/bin/env -S bash\nmake\nmake check\n", 1, /as on line 2/],
  ["a command that is indented", "#!/bin/bash\n  make\nmake check\n", 1, /as on line 2/],
  ["a command with its errors among its output", "#!/bin/bash\nmake 2>&1\nmake check\n", 1, /as on line 2/],
  ["a command for all of something", "#!/bin/bash\nmake for all\nmake check\n", 1, /as on line 2/],
  ["a command with another in it", "#!/bin/bash\nmake -j $(nproc)\nmake check\n", 1, /as on line 2/],
  ["a command with a variable of its own", "#!/bin/bash\nA=1 make\nmake check\n", 1, /as on line 2/],
  ["a pipe under dash", "#!/bin/dash -e\nmake | tee log\n", 2, /a pipe ends.*; begin with #!\/bin\/bash, then set -eo pipefail$/],
  ["a pipe into tee alone", "make | tee\n", 1, /a pipe ends/],
  ["a pipe into cat alone", "make | cat\n", 1, /a pipe ends/],
  ["a pipe from what only names a harmless command", "make env | tee log\n", 1, /a pipe ends/],
  ["a pipe with more on its line", "make | tee log; echo done\n", 1, /a pipe ends/],
  ["a pipe from what only names a condition", "git grep -c if src | tee log  \n", 1, /a pipe ends/],
  ["a #! behind a blank line", "\n#!/bin/bash -e\n[[ a ]]\n", 2, /^#! counts as the first two characters .* alone: sh runs it/],
  ["a #! behind a comment", "# nova\n#!/usr/bin/env python3\nimport sys\n", 2, /^#! counts/],
  ["a #! behind a blank", "  #! /bin/sh\nmake\n", 1, /^#! counts/],
  ["a #! behind a byte order mark", "\ufeff#!/bin/bash\nmake\nmake check\n", 1, /^#! counts/],
  ["no command at all", "#!/bin/sh\n\n# to be written\n", 1, /^there is no command in it/],
  ["blanks alone", " \n  \n", 1, /^there is no command in it/],
  ["a last command in the background", "make\n./run-tests &\n\n# done\n", 2, /ends well whatever becomes of what runs in the background/],
  ["a wait for all", "./one &\n./two &\nwait\n", 3, /runs in the background.*wait "\$pid"$/],
  ["a wait for all on the same line", "./one & ./two & wait\n", 1, /runs in the background/],
  ["a step before &&", "make && echo ok\nmake check\n", 1, /goes on when make fails: -e passes over what fails before &&; write each/],
  ["cd before &&", "pip install .\ncd tests && ./run\necho done\n", 2, /goes on when cd fails/],
  ["a step before && over two lines", "pip3 install . &&\n  tox >log 2>&1\nmake docs\n", 1, /when pip3 install fails/],
  ["a step with a variable of its own before &&", "A=1 make && ./run\nmake docs\n", 1, /when make fails/],
  ["a step before && after what is over", "if [ -d a ]; then\n  make\nfi\nrun() { make; }\ncd a && run\nmake b\n", 5, /when cd fails/],
  ["a step before && under bash with -e", "#!/bin/bash -e\npytest -q && ./report\n./end\n", 2, /when pytest fails/],
  ["a step before && under set -e", "#!/bin/bash\nset -eu\nnpm ci && npm test\n./end\n", 3, /when npm ci fails/],
  ["Windows line ends", "make\r\nmake check\r\n", 1, /lines end as on Windows/],
];

describe("warnings of a script", () => {
  for (const [what, script] of Object.entries(GOOD)) {
    test(`there is none of ${what}`, () => assert.deepEqual(scriptWarnings(script, "python:3.12"), []));
  }

  for (const [what, script, line, message] of BAD) {
    test(`${what} is told, with its line`, () => {
      const [warning, ...more] = scriptWarnings(script, "python:3.12");
      assert.equal(warning?.line, line);
      assert.match(warning.message, message);
      assert.deepEqual(more, []);
    });
  }

  test("an image whose sh takes what bash takes gets none of those", () => {
    for (const image of ["python:3.12-alpine", "quay.io/centos/centos:stream9", "fedora:42", "registry.example.org/ubi9/python-312"]) {
      assert.deepEqual(scriptWarnings("[[ a == b ]] && set -o pipefail\n", image), [], image);
    }
    assert.equal(scriptWarnings("[[ a ]]\n", undefined).length, 1);
  });
});
