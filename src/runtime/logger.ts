import { type DestinationStream, pino } from "pino";

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

/** JSON lines on standard output; synchronous, so that the last line before an exit is never lost. */
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
    ...wrap(destination ? pino(options, destination) : pino(options), shared),
    get level() {
      return shared.level;
    },
    set level(wanted) {
      shared.level = wanted;
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

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
