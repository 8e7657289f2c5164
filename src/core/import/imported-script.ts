/**
 * A shell_script as `ShellTask` of the original ran it: in a shell, with the checkout, a working directory and the build's id behind it
 * (`turbo_hipster/lib/models.py`). That shell did not stop at a command that fails.
 */
export function renderShellScript(command: string): string {
  return ["#!/bin/sh", `${command.trimEnd()} "$PWD" "$(mktemp -d)" "$ZUUL_UUID"`, ""].join("\n");
}

/** Where the dataset's directory is in the pod. */
export const DATASET_PATH = "/dataset";

/**
 * What real_db_upgrade ran: the script of its project and database, with the nine arguments that it had. The rows that a migration changed are
 * added up here, as the original did when it read the log: a check reads one number of a line.
 */
export const MIGRATIONS_SCRIPT = `#!/usr/bin/env python3
import json, os, re, subprocess, sys, tempfile

with open("${DATASET_PATH}/config.json") as file:
    dataset = json.load(file)
project = os.environ["ZUUL_PROJECT"].split("/")[-1]
command = [
    project + "_" + dataset["type"] + "_migrations.sh",
    os.environ["ZUUL_UUID"],
    tempfile.mkdtemp(),
    os.getcwd(),
    dataset["db_user"],
    dataset["db_pass"],
    dataset["database"],
    os.path.join("${DATASET_PATH}", dataset["seed_data"]),
    os.path.join("${DATASET_PATH}", dataset["logging_conf"]),
    tempfile.mkdtemp(),
]
rows = {}
script = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
for line in script.stdout:
    print(line, end="", flush=True)
    found = re.search(r"Innodb_rows_(deleted|inserted|updated)\\t([0-9]+)", line)
    if found:
        rows[found[1]] = int(found[2])
        if found[1] == "updated":
            print("Innodb_rows_changed\\t%d" % sum(rows.values()), flush=True)
sys.exit(1 if script.wait() else 0)
`;
