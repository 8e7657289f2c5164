"""merger.py ROOT OPERATIONS

Zuul 2.6's own merger (from PyPI, unchanged) with its clones below ROOT. Carries out a JSON list of operations and writes the list of what they
returned.

  {"op": "update", "project", "url"}
  {"op": "merge", "items": [{"project", "url", "branch", "refspec", "ref", "number", "patchset"}]}

Name and address of the committer come from git's environment: given to the Merger, GitPython's lock of the configuration would outlive its use on
Python 3.
"""

import json
import logging
import sys

import zuul.merger.merger
import zuul.model

logging.basicConfig(level=logging.DEBUG)


def perform(merger, operation):
    if operation["op"] == "update":
        return merger.updateRepo(operation["project"], "gerrit", operation["url"])
    common = {"merge_mode": zuul.model.MERGER_MERGE_RESOLVE, "connection_name": "gerrit"}
    return merger.mergeChanges([dict(item, **common) for item in operation["items"]])


merger = zuul.merger.merger.Merger(sys.argv[1], {}, None, None)
print(json.dumps([perform(merger, operation) for operation in json.loads(sys.argv[2])]))
