"""parameters.py SHAPES

Prints the parameters that Zuul 2.6's own launcher (from PyPI, unchanged) sends for each of a JSON list of builds:

  {"kind": "change", "project", "branch", "number", "ref", "commit", "ahead": [{"project", "branch", "number"}]}
  {"kind": "ref", "project", "ref", "oldrev", "newrev"}
  {"kind": "timer", "project"}

Each has "pipeline" and "url" as well. Nothing is sent anywhere.
"""

import json
import sys
import types

import zuul.launcher.gearman
import zuul.model


class Job:
    """In place of gear's: keeps what Zuul would send."""

    def __init__(self, name, arguments, unique):
        self.name = name
        self.arguments = arguments
        self.handle = "H:localhost:1"


zuul.launcher.gearman.gear = types.SimpleNamespace(Job=Job, PRECEDENCE_NORMAL=0, PRECEDENCE_HIGH=1, PRECEDENCE_LOW=2)


def make_change(shape):
    project = zuul.model.Project(shape["project"])
    if shape["kind"] == "timer":
        return zuul.model.NullChange(project)
    if shape["kind"] == "ref":
        ref = zuul.model.Ref(project)
        ref.ref, ref.oldrev, ref.newrev = shape["ref"], shape["oldrev"], shape["newrev"]
        return ref
    change = zuul.model.Change(project)
    change.branch, change.number, change.patchset = shape["branch"], str(shape["number"]), "1"
    change.refspec = "refs/changes/%02d/%d/1" % (shape["number"], shape["number"])
    return change


def parameters(shape):
    item = types.SimpleNamespace(change=make_change(shape))
    item.current_build_set = types.SimpleNamespace(
        zuul_url=shape["url"], ref=shape.get("ref"), commit=shape.get("commit"), getTries=lambda name: 1
    )
    ahead = [types.SimpleNamespace(change=make_change(dict(each, kind="change"))) for each in shape.get("ahead", [])]
    pipeline = types.SimpleNamespace(name=shape["pipeline"], precedence=zuul.model.PRECEDENCE_NORMAL)
    job = types.SimpleNamespace(name="job", voting=True, attempts=3, parameter_function=None, tags=set(), swift={})
    sent = []
    launcher = zuul.launcher.gearman.Gearman.__new__(zuul.launcher.gearman.Gearman)
    launcher.builds, launcher.job_registration = {}, False
    launcher.gearman = types.SimpleNamespace(submitJob=lambda job, precedence, timeout: sent.append(job))
    # Zuul lists what is ahead from the nearest on.
    launcher.launch(job, item, pipeline, ahead[::-1])
    return json.loads(sent[0].arguments)


print(json.dumps([parameters(shape) for shape in json.loads(sys.argv[1])]))
