"""report_links.py

Reads {"jobs", "urlPattern", "builds": [{"job", "number", "url", "result"}]} as JSON from standard input. Prints the link that the report of
Zuul 2.6's own model (from PyPI, unchanged) has for each of the builds, as a JSON list; `jobs` are a layout's, for their patterns.
"""

import json
import sys
import types

import zuul.model


def link(build, jobs, url_pattern):
    job = zuul.model.Job(build["job"])
    patterns = {each["name"]: each for each in jobs}.get(job.name, {})
    job.success_pattern = patterns.get("success-pattern")
    job.failure_pattern = patterns.get("failure-pattern")
    own = zuul.model.Build(job, "0" * 32)
    own.number, own.url, own.result = build["number"], build["url"], build["result"]
    item = zuul.model.QueueItem(types.SimpleNamespace(pipeline=None), None)
    item.current_build_set.addBuild(own)
    return item.formatJobResult(job, url_pattern)[1]


asked = json.load(sys.stdin)
print(json.dumps([link(build, asked["jobs"], asked["urlPattern"]) for build in asked["builds"]]))
