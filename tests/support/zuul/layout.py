"""layout.py

Reads a JSON list of paths from a line of standard input. Prints for each what Zuul 2.6's own scheduler (from PyPI, unchanged) makes of that layout.yaml:
{"jobs": {name: {project: [pipeline, ...]}}, "parameterFunctions": {name: function}}, or {"refused": message}. Nothing is connected to.
"""

import configparser
import json
import sys
import types

import yaml
import zuul.scheduler

# PyYAML has asked for a loader since Zuul 2.6.
zuul.scheduler.yaml = types.SimpleNamespace(load=yaml.safe_load)

CONNECTIONS = {"gerrit": types.SimpleNamespace(driver_name="gerrit", registerUse=lambda *_: None)}


def read(path):
    scheduler = zuul.scheduler.Scheduler(configparser.ConfigParser(), testonly=True)
    scheduler.connections = CONNECTIONS
    try:
        layout = scheduler.testConfig(path, CONNECTIONS)
    except Exception as error:
        return {"refused": str(error) or type(error).__name__}
    jobs, functions = {}, {}
    for project in layout.projects.values():
        for pipeline in layout.pipelines.values():
            tree = pipeline.getJobTree(project)
            for job in tree.getJobs() if tree else []:
                jobs.setdefault(job.name, {}).setdefault(project.name, [])
                if pipeline.name not in jobs[job.name][project.name]:
                    jobs[job.name][project.name].append(pipeline.name)
                if job.parameter_function:
                    functions[job.name] = job.parameter_function.__name__
    return {"jobs": jobs, "parameterFunctions": functions}


print(json.dumps([read(path) for path in json.loads(sys.stdin.readline())]))
