"""python launcher.py HOST PORT [settle] [patient]

Zuul 2.6's own launcher and model (from PyPI, unchanged) with a scheduler double that keeps one item with one job for each build.
Reads operations and writes events as JSON, one a line. With "settle" it waits for functions first, as Zuul with its own geard does.
With "patient" it launches nothing while it is not connected or the server does not know the function yet (Zuul gives such builds up), and
what it asked over a connection that is gone is given up after 20 s (Zuul: 300 s, in which it does nothing else).

  {"op": "launch", "id", "job", "project", "pipeline", "url", "attempts", "voting", "precedence", "params", "without", "item": {"kind", ...}}
  {"op": "cancel", "id"}
  {"op": "unfinished", "id"}

The double does what zuul.scheduler does with the launcher, in one thread as there: events wait in a queue, a finished build goes through
Pipeline.setResult, jobs without a build are launched (so a build that asked for a retry is launched again), and an item whose jobs
are all complete is reported, by Zuul's own reporters of Gerrit and mail: what they would send is kept instead.
"""

import configparser
import functools
import inspect
import io
import json
import logging
import os
import queue
import sys
import threading
import time
import traceback
import types

import gear
import zuul.connection.gerrit
import zuul.connection.smtp
import zuul.launcher.gearman
import zuul.model
import zuul.reporter
import zuul.reporter.gerrit
import zuul.reporter.smtp

# --- Zuul 2.6 is Python 2 code: what follows makes its byte edges fit Python 3, and changes none of its logic. ---


class Job(gear.TextJobArguments, gear.TextJobUnique, gear.Job):
    """Takes Zuul's text arguments, and has the text unique by which Zuul finds a build in its dictionaries."""


class TextResponse:
    """The answer to an admin request as the text that Zuul takes apart."""

    @property
    def response(self):
        return self.received.decode("utf-8", "replace")

    @response.setter
    def response(self, received):
        self.received = received


class StatusAdminRequest(TextResponse, gear.StatusAdminRequest):
    pass


class CancelJobAdminRequest(TextResponse, gear.CancelJobAdminRequest):
    pass


def adapt_to_python3():
    # A copy of the module for Zuul's launcher alone: gear's own classes name each other through theirs.
    adapted = types.ModuleType("gear")
    adapted.__dict__.update(gear.__dict__)
    adapted.Job = Job
    adapted.StatusAdminRequest = StatusAdminRequest
    adapted.CancelJobAdminRequest = CancelJobAdminRequest
    zuul.launcher.gearman.gear = adapted
    # None (never launched) > 3 was False.
    zuul.model.BuildSet.getTries = lambda self, job_name: self.tries.get(job_name, 0)
    # Only looked at for the number of arguments of a parameter-function.
    inspect.getargspec = inspect.getfullargspec
    # Python 2's default: it raises UnicodeEncodeError for all else, outside of Zuul's try.
    zuul.connection.smtp.MIMEText = functools.partial(zuul.connection.smtp.MIMEText, _charset="us-ascii")


# --- The scheduler double. ---

output_lock = threading.Lock()


def emit(event, launch=None, **fields):
    if launch is not None:
        fields["id"] = launch.id
    line = json.dumps(dict(event=event, **fields))
    with output_lock:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def describe(build):
    worker = {name: getattr(build.worker, name) for name in ("name", "hostname", "fqdn", "program", "version", "ips", "extra")}
    return {
        "uuid": build.uuid,
        "number": build.number,
        "manager": getattr(build, "_Gearman__gearman_manager", None),
        "url": build.url,
        "worker": worker,
    }


class ObservedGearman(zuul.launcher.gearman.Gearman):
    """Zuul's launcher; it only tells what came in."""

    def onWorkStatus(self, job):
        super().onWorkStatus(job)
        build = self.builds.get(job.unique)
        if build:
            emit(
                "update",
                build.job.launch,
                data=job.data[-1].decode("utf-8", "replace") if job.data else None,
                dataCount=len(job.data),
                numerator=job.numerator and job.numerator.decode("utf-8", "replace"),
                denominator=job.denominator and job.denominator.decode("utf-8", "replace"),
                **describe(build)
            )

    def onBuildCompleted(self, job, result=None):
        build = self.builds.get(job.unique)
        super().onBuildCompleted(job, result)
        if build:
            emit("answered", build.job.launch, uuid=build.uuid)


def give_up_soon(client):
    submit, send = client.submitJob, gear.Connection.sendAdminRequest
    client.submitJob = lambda *args, **kwargs: submit(*args, **dict(kwargs, timeout=20))
    gear.Connection.sendAdminRequest = lambda connection, request, timeout=20: send(connection, request, 20)


class Reporter(zuul.reporter.BaseReporter):
    def report(self, source, pipeline, item):
        return self._formatItemReportJobs(pipeline, item)


class KeptCommands:
    """In place of paramiko's client: keeps the command lines that Gerrit's ssh server would be given, and lets them succeed."""

    def __init__(self):
        self.lines = []

    def exec_command(self, line):
        self.lines.append(line)
        stdout = io.StringIO()
        stdout.channel = types.SimpleNamespace(recv_exit_status=lambda: 0)
        return io.StringIO(), stdout, io.StringIO()


class KeptMails:
    """In place of smtplib."""

    def __init__(self):
        self.texts = []

    def SMTP(self, server, port):
        return self

    def sendmail(self, sender, recipients, text):
        self.texts.append(text)

    def quit(self):
        pass


class Reporters:
    """Zuul's own, as a layout with `failure: {gerrit: {verified: -1}, smtp: {...}}` has them."""

    def __init__(self, scheduler):
        self.scheduler = scheduler
        self.gerrit = zuul.connection.gerrit.GerritConnection("gerrit", {"server": "review.example.org", "user": "zuul"})
        self.smtp = zuul.connection.smtp.SMTPConnection("smtp", {"server": "mail.example.org"})

    def report(self, launch):
        """The command line for Gerrit and the mail, as text; for one that was not sent what was raised."""
        commands, mails = KeptCommands(), KeptMails()
        self.gerrit.client, zuul.connection.smtp.smtplib = commands, mails
        passed = launch.pipeline.didAllJobsSucceed(launch.item)
        vote = {"verified": 1 if passed else -1}
        of_smtp = zuul.reporter.smtp.SMTPReporter({"to": "dev@example.org"}, self.scheduler, self.smtp)
        reporters = {"mail": (of_smtp, mails.texts)}
        if isinstance(launch.item.change, zuul.model.Change):
            reporters["review"] = (zuul.reporter.gerrit.GerritReporter(vote, self.scheduler, self.gerrit), commands.lines)
        source = types.SimpleNamespace(getRefSha=lambda project, ref: "0" * 40)
        told = {"review": None, "mail": None}
        for name, (reporter, kept) in reporters.items():
            reporter.setAction("success" if passed else "failure")
            try:
                reporter.report(source, launch.pipeline, launch.item)
                told[name] = kept[-1]
            except Exception as error:
                logging.exception("Exception while reporting")
                told[name] = type(error).__name__
        return told


class NoMutex:
    def acquire(self, item, job):
        return True


class Launch:
    """One item with one job in a pipeline of its own, made from a "launch" operation."""

    def __init__(self, spec):
        self.id = spec["id"]
        self.builds = []
        self.isOver = False
        project = zuul.model.Project(spec["project"])
        self.pipeline = zuul.model.Pipeline(spec["pipeline"])
        self.pipeline.precedence = zuul.model.PRECEDENCE_MAP[spec["precedence"]]
        self.pipeline.success_message, self.pipeline.failure_message = "Build succeeded.", "Build failed."
        self.job = zuul.model.Job(spec["job"])
        self.job.launch = self
        self.job.attempts = spec["attempts"]
        self.job.voting = spec["voting"]
        if spec["params"] or spec["without"]:
            self.job.parameter_function = make_parameter_function(spec["params"], spec["without"])
        self.pipeline.addProject(project).addJob(self.job)
        change_queue = zuul.model.ChangeQueue(self.pipeline)
        change_queue.addProject(project)
        self.item = change_queue.enqueueChange(make_change(project, spec["item"]))
        build_set = self.item.current_build_set
        build_set.zuul_url = spec["url"]
        if spec["item"]["kind"] == "change":
            build_set.ref = spec["item"]["ref"]
            build_set.commit = spec["item"]["commit"]
            build_set.setConfiguration()
        elif spec["item"]["kind"] == "ref":
            build_set.commit = self.item.change.newrev


def make_change(project, item):
    if item["kind"] == "change":
        change = zuul.model.Change(project)
        change.branch = item["branch"]
        change.number = str(item["number"])
        change.patchset = str(item["patchset"])
        change.refspec = "refs/changes/%s/%s/%s" % (change.number[-2:].zfill(2), change.number, change.patchset)
        return change
    if item["kind"] == "ref":
        ref = zuul.model.Ref(project)
        ref.ref, ref.oldrev, ref.newrev = item["refname"], item["oldrev"], item["newrev"]
        return ref
    return zuul.model.NullChange(project)


def make_parameter_function(params, without):
    def parameter_function(item, parameters):
        parameters.update(params)
        for name in without:
            parameters.pop(name, None)

    return parameter_function


class Scheduler:
    def __init__(self, config, isPatient):
        self.config = config
        self.isPatient = isPatient
        self.launcher = None
        self.launches = {}
        self.events = queue.Queue()
        self.reporter = Reporter(sched=self)
        self.reporters = Reporters(self)

    # Called by the launcher, in gear's thread.

    def onBuildStarted(self, build):
        build.start_time = time.time()
        emit("started", build.job.launch, **describe(build))

    def onBuildCompleted(self, build, result):
        build.end_time = time.time()
        build.result = result
        emit("ended", build.job.launch, result=result, retry=build.retry, nodeName=build.node_name, nodeLabels=build.node_labels, **describe(build))
        self.events.put((self.complete, build))

    # All that follows runs in the scheduler's one thread.

    def run(self):
        while True:
            perform, argument = self.events.get()
            try:
                perform(argument)
            except Exception:
                # Where Zuul only logs it and the item hangs, the test should know.
                logging.exception("scheduler: %s", perform.__name__)
                emit("error", id=argument["id"] if isinstance(argument, dict) else argument.job.launch.id, trace=traceback.format_exc())

    def perform(self, operation):
        if operation["op"] == "launch":
            launch = self.launches[operation["id"]] = Launch(operation)
            self.process(launch)
        elif operation["op"] == "cancel":
            self.cancel(self.launches[operation["id"]])
        elif operation["op"] == "unfinished":
            emit("unfinished", id=operation["id"], uuids=list(self.launcher.builds))
        else:
            raise ValueError("unknown operation %r" % operation["op"])

    def process(self, launch):
        item = launch.item
        for job in launch.pipeline.findJobsToRun(item, NoMutex()):
            while self.isPatient and not self.can_launch("build:%s" % job.name):
                time.sleep(0.1)
            build = self.launcher.launch(job, item, launch.pipeline, [])
            item.addBuild(build)
            launch.builds.append(build)
            emit("launched", launch, uuid=build.uuid, isSubmitted=is_submitted(build), parameters=build.parameters)
        if launch.pipeline.areAllJobsComplete(item):
            self.report(launch)

    def can_launch(self, function):
        if not self.launcher.gearman.active_connections:
            return False
        self.launcher.negative_function_cache_ttl = 0
        return self.launcher.isJobRegistered(function)

    def complete(self, build):
        launch = build.job.launch
        if build.build_set is not launch.item.current_build_set:
            return  # cancelled meanwhile
        launch.pipeline.setResult(launch.item, build)
        self.process(launch)

    def report(self, launch):
        if launch.isOver:
            return
        launch.isOver = True
        build = launch.item.current_build_set.getBuild(launch.job.name)
        report = self.reporter.report(None, launch.pipeline, launch.item)
        self.tell_completed(launch, build, build.result, report, **self.reporters.report(launch))

    def cancel(self, launch):
        """As zuul.scheduler's cancelJobs for an item that is removed; the pipeline is emptied, so nothing is launched any more."""
        if launch.isOver:
            emit("canceled", launch, uuids=[])
            return
        launch.isOver = True
        builds = list(launch.item.current_build_set.builds.values())
        launch.item.resetAllBuilds()
        for build in builds:
            self.launcher.cancel(build)
            build.result = "CANCELED"
        emit("canceled", launch, uuids=[build.uuid for build in builds])
        if launch.builds:
            self.tell_completed(launch, launch.builds[-1], "CANCELED", None, None, None)

    def tell_completed(self, launch, build, result, report, review, mail):
        emit(
            "completed",
            launch,
            result=result,
            report=report,
            review=review,
            mail=mail,
            attempts=sum(map(is_submitted, launch.builds)),
            uuids=[each.uuid for each in launch.builds],
            nodeName=build.node_name,
            nodeLabels=build.node_labels,
            **describe(build)
        )


def is_submitted(build):
    job = getattr(build, "_Gearman__gearman_job", None)
    return job is not None and job.handle is not None


def main():
    host, port = sys.argv[1:3]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("gear", "gear.Connection"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    adapt_to_python3()
    config = configparser.ConfigParser()
    config.read_dict({"gearman": {"server": host, "port": port}, "gearman_server": {"start": str("settle" in sys.argv[3:])}})
    scheduler = Scheduler(config, "patient" in sys.argv[3:])
    scheduler.launcher = ObservedGearman(config, scheduler, None)
    scheduler.launcher.gearman.waitForServer()
    if scheduler.isPatient:
        give_up_soon(scheduler.launcher.gearman)
    threading.Thread(target=scheduler.run, daemon=True).start()
    emit("ready")
    for line in sys.stdin:
        scheduler.events.put((scheduler.perform, json.loads(line)))
    sys.stdout.flush()
    os._exit(0)  # gear's threads are no daemons


main()
