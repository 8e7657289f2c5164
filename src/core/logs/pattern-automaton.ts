/**
 * Many byte patterns found in one pass over a text (Aho and Corasick, 1975), in time proportional to the text whatever patterns and text are.
 * States are numbered breadth first: the first ones, where almost all text is read, have a whole row of next states each; the others have
 * their few children alone, and go on from their failure state where none fits.
 */
export interface PatternAutomaton {
  /**
   * The next state for each byte of each of the first `denseStates` states, `dense[(state << 8) | byte]`: as `state << 8` where it is one of
   * them and no pattern ends there, which is almost always; else as `~state`. So one look at memory per byte is enough.
   */
  readonly dense: Int32Array;
  readonly denseStates: number;
  /** The children of the others, as a list: the first one, and of each child the next; -1 for none. `label` is the byte that leads there. */
  readonly firstChild: Int32Array;
  readonly nextSibling: Int32Array;
  readonly label: Uint8Array;
  readonly failure: Int32Array;
  /** How many bytes of the text may still become a pattern's beginning. */
  readonly depth: Int32Array;
  /** Length of the longest pattern that ends here; 0 for none. */
  readonly found: Int32Array;
}

/** 4 MiB of rows: beyond it the memory costs more than the time that it saves. */
const MAX_DENSE_STATES = 4096;

/** Patterns of no bytes are passed over. Takes a few microseconds per byte of them; memory is 4 MiB at most, and 20 bytes for each byte of them. */
export function makePatternAutomaton(patterns: readonly Uint8Array[]): PatternAutomaton {
  const trie = makeTrie(patterns);
  const { order, renumbered } = breadthFirst(trie);
  const states = order.length;
  const at = (old: number) => (old < 0 ? -1 : (renumbered[old] as number));
  const firstChild = new Int32Array(states);
  const nextSibling = new Int32Array(states);
  const label = new Uint8Array(states);
  const found = new Int32Array(states);
  const depth = new Int32Array(states);
  const failure = new Int32Array(states);
  for (let state = 0; state < states; state += 1) {
    const old = order[state] as number;
    firstChild[state] = at(trie.firstChild[old] as number);
    nextSibling[state] = at(trie.nextSibling[old] as number);
    label[state] = trie.label[old] as number;
    found[state] = trie.found[old] as number;
  }

  const denseStates = Math.min(states, MAX_DENSE_STATES);
  const dense = new Int32Array(denseStates << 8);
  const automaton = { dense, denseStates, firstChild, nextSibling, label, failure, depth, found };
  // Breadth first, so that a state's failure state, which is less deep, is whole when the state is looked at.
  for (let state = 0; state < states; state += 1) {
    const fallback = failure[state] as number;
    if (state < denseStates && state !== 0) dense.copyWithin(state << 8, fallback << 8, (fallback + 1) << 8);
    for (let child = firstChild[state] as number; child >= 0; child = nextSibling[child] as number) {
      const byte = label[child] as number;
      const failed = state === 0 ? 0 : step(automaton, fallback, byte);
      failure[child] = failed;
      depth[child] = (depth[state] as number) + 1;
      // What ends at the failure state ends here too, and is shorter.
      found[child] ||= found[failed] as number;
      if (state < denseStates) dense[(state << 8) | byte] = child < denseStates && found[child] === 0 ? child << 8 : ~child;
    }
  }
  return automaton;
}

/** The state after one more byte of the text. */
export function step(automaton: PatternAutomaton, from: number, byte: number): number {
  const { dense, denseStates, firstChild, nextSibling, label, failure } = automaton;
  let state = from;
  while (state >= denseStates) {
    let child = firstChild[state] as number;
    while (child >= 0 && label[child] !== byte) child = nextSibling[child] as number;
    if (child >= 0) return child;
    state = failure[state] as number;
  }
  const next = dense[(state << 8) | byte] as number;
  return next >= 0 ? next >> 8 : ~next;
}

interface Trie {
  firstChild: Int32Array;
  nextSibling: Int32Array;
  label: Uint8Array;
  found: Int32Array;
  size: number;
}

function makeTrie(patterns: readonly Uint8Array[]): Trie {
  const most = patterns.reduce((sum, { length }) => sum + length, 1);
  const trie: Trie = {
    firstChild: new Int32Array(most).fill(-1),
    nextSibling: new Int32Array(most).fill(-1),
    label: new Uint8Array(most),
    found: new Int32Array(most),
    size: 1,
  };
  for (const pattern of patterns) {
    let state = 0;
    for (const byte of pattern) state = childOf(trie, state, byte);
    trie.found[state] = pattern.length;
  }
  return trie;
}

function childOf(trie: Trie, state: number, byte: number): number {
  let child = trie.firstChild[state] as number;
  while (child >= 0 && trie.label[child] !== byte) child = trie.nextSibling[child] as number;
  if (child >= 0) return child;
  child = trie.size;
  trie.size += 1;
  trie.label[child] = byte;
  trie.nextSibling[child] = trie.firstChild[state] as number;
  trie.firstChild[state] = child;
  return child;
}

/** The trie's states in the order in which they are numbered anew, and the new number of each. */
function breadthFirst(trie: Trie): { order: Int32Array; renumbered: Int32Array } {
  const order = new Int32Array(trie.size);
  const renumbered = new Int32Array(trie.size);
  let filled = 1;
  for (let next = 0; next < filled; next += 1) {
    const old = order[next] as number;
    renumbered[old] = next;
    for (let child = trie.firstChild[old] as number; child >= 0; child = trie.nextSibling[child] as number) {
      order[filled] = child;
      filled += 1;
    }
  }
  return { order, renumbered };
}
