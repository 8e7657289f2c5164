"""python layout.py

Zuul 2.6's own reading of a layout and of links in reports. Takes {"layout", "jobs", "urlPattern", "builds": [{"job", "number", "url", "result"}]}
as JSON and prints {"error", "links"}: what Zuul's validator has against `layout`, or null, and for each build the link of Zuul's report, with the
patterns of its job in `jobs`.
"""

import json
import sys
import types

import zuul.connection.gerrit
import zuul.layoutvalidator
import zuul.model


class Gerrit:
    driver_name = "gerrit"


def validate(layout):
    try:
        zuul.layoutvalidator.LayoutValidator().validate(layout, {"gerrit": Gerrit()})
    except Exception as error:
        return str(error)


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
links = [link(build, asked["jobs"], asked["urlPattern"]) for build in asked["builds"]]
print(json.dumps({"error": validate(asked["layout"]), "links": links}))
