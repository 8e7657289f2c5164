import { type DestinationStream, pino } from "pino";
import { type Clock, systemClock } from "./clock.ts";
import { Throttle } from "./throttle.ts";

/** The part of pino that the program uses. Messages start with a lower-case verb and put data in fields. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A logger whose level may change at any time, for itself and for all its children. */
export interface RootLogger extends Logger {
  level: LogLevel;
}

/** JSON lines on standard output; what is said before an exit is never lost. */
export function makeLogger(level: LogLevel, destination?: DestinationStream): RootLogger {
  const options = {
    level: "debug",
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  // A child of pino's keeps the level that its parent had when it was made, so the level is kept here.
  const shared = { level };
  return {
    ...wrap(pino(options, destination ?? writeTogether(pino.destination({ fd: 1, sync: true }), systemClock)), shared),
    get level() {
      return shared.level;
    },
    set level(wanted) {
      shared.level = wanted;
    },
  };
}

/** Lines that are longer than this together are written at once. */
const MAX_HELD_LENGTH = 64 * 1024;

/** While lines come one after another, they are written no more often than this. */
const LEAST_MS = 50;

/**
 * One write for all lines of a turn of the event loop, and of all turns within 50 ms of the last write: a write costs more than to make the
 * line, and builds that come by the hundred say seven lines each. Writes on exit as well.
 */
export function writeTogether(destination: DestinationStream, clock: Clock): DestinationStream {
  let held = "";
  const flush = () => {
    const lines = held;
    held = "";
    if (lines !== "") destination.write(lines);
  };
  const writing = new Throttle({ leastMs: LEAST_MS, clock, work: flush });
  process.on("exit", flush);
  return {
    write(line) {
      held += line;
      if (held.length > MAX_HELD_LENGTH) writing.run();
      else writing.ask();
    },
  };
}

function wrap(target: Logger, shared: { readonly level: LogLevel }): Logger {
  const at = (level: LogLevel) => {
    const rank = LOG_LEVELS.indexOf(level);
    return (fields: object, message: string) => {
      if (rank >= LOG_LEVELS.indexOf(shared.level)) target[level](fields, message);
    };
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => wrap(target.child(fields), shared),
  };
}
