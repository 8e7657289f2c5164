import { makeConcurrencyLimit } from "../../runtime/concurrency-limit.ts";

/**
 * A call of a file system holds one of the process's few threads until it ends, and on a disk that hangs, as one of the network does whose
 * server is away, that is for ever. Look-ups of names want these threads as well: were all of them held, the program would stand still. So
 * calls for logs take turns, of which there are fewer. https://docs.libuv.org/en/v1.x/threadpool.html
 */
const THREADS = Math.max(1, Number.parseInt(process.env.UV_THREADPOOL_SIZE ?? "", 10) || 4);
/** Of each kind: a turn of one that writes may take two threads, so that a quarter is left. */
const TURNS = Math.max(1, Math.floor(THREADS / 4));

const writing = makeConcurrencyLimit(TURNS);
const reading = makeConcurrencyLimit(TURNS);

/**
 * Runs what writes when it is its turn: a spool or an upload waits for one turn at a time, so that their number bounds the line. `work` takes no
 * turn itself, and waits for nothing but the disk.
 */
export function writeTurn<T>(work: () => Promise<T>): Promise<T> {
  return writing.run(work);
}

/** The same for what reads, which neither holds up nor waits for what writes. */
export function readTurn<T>(work: () => Promise<T>): Promise<T> {
  return reading.run(work);
}
