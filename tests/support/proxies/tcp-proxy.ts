import { type AddressInfo, createServer, Socket } from "node:net";

type Side = "client" | "server";

/** What may be done to connections. */
export interface ProxyControl {
  /** Breaks every connection; new ones are taken as before. */
  cut(): void;
  /** Breaks them as far as the server sees it; the client hears nothing any more, until `cut`. */
  sever(): void;
  /** What this side sends is kept back until `cut`; it goes nowhere then. */
  hold(side: Side): void;
  /** What is sent, by whichever side, arrives only once the returned function is called: the client sleeps. */
  delay(): () => void;
  /** Called with each chunk before it is passed on; with `cut` in it, the chunk goes nowhere. */
  onChunk: ((chunk: Buffer, from: Side) => void) | undefined;
  /** Refuses connections until `open`, and breaks those that are there. */
  close(): void;
  open(): void;
}

export interface TcpProxy extends ProxyControl, AsyncDisposable {
  readonly address: string;
  /** Those connections alone whose client's first chunk contains this text. */
  of(text: string): ProxyControl;
}

interface Passage {
  readonly near: Socket;
  readonly far: Socket;
  /** The client's first chunk, one character per byte. */
  greeting: string | undefined;
}

/**
 * Between a client and a server on this machine, to break their connections without ending either. Connects to the server one after another:
 * a client that does so because geard listens for one at a time does not notice here when the server has taken its connection.
 */
export async function startTcpProxy(target: { port: number; host?: string }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const passages = new Set<Passage>();
  const all = makeControl(passages, () => true);
  const groups: { text: string; control: Control }[] = [];
  let turn = Promise.resolve();
  const server = createServer({ noDelay: true }, (near) => {
    keep(near);
    if (!all.isOpen) {
      near.resetAndDestroy();
      return;
    }
    const far = keep(new Socket().setNoDelay(true));
    const passage: Passage = { near, far, greeting: undefined };
    passages.add(passage);
    // One side may outlive the other, while the news of its end is kept back.
    const forget = () => near.closed && far.closed && passages.delete(passage);
    near.on("close", forget);
    far.on("close", forget);
    pass(passage, "server");
    turn = turn.then(() => {
      if (!near.destroyed && !far.destroyed) return connectTo(passage);
      far.destroy();
      near.destroy();
    });
  });

  /** Resolves when the server has taken the connection, or either side is gone. */
  function connectTo(passage: Passage): Promise<void> {
    const { near, far } = passage;
    return new Promise((resolve) => {
      near.once("close", () => resolve());
      far.once("close", () => resolve());
      far.connect({ port: target.port, host: target.host ?? "127.0.0.1" }, resolve);
      // What the client has sent meanwhile waits in its socket, or in the server's.
      pass(passage, "client");
    });
  }

  function keep(socket: Socket): Socket {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    return socket;
  }

  const controlsOf = ({ greeting }: Passage) => [
    all,
    ...groups.filter(({ text }) => greeting?.includes(text)).map(({ control }) => control),
  ];

  function pass(passage: Passage, side: Side): void {
    const [from, to] = side === "client" ? [passage.near, passage.far] : [passage.far, passage.near];
    from.on("data", (chunk: Buffer) => {
      if (side === "client") passage.greeting ??= chunk.toString("latin1");
      const controls = controlsOf(passage);
      for (const control of controls) control.onChunk?.(chunk, side);
      if (controls.some(({ isOpen }) => !isOpen)) passage.near.resetAndDestroy();
      else if (!to.destroyed && !controls.some(({ held }) => held === side)) later(controls, () => to.write(chunk));
    });
    from.on("close", () => {
      const controls = controlsOf(passage);
      if (!controls.some(({ isSevered }) => isSevered)) later(controls, () => to.destroy());
    });
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(all, {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    of(text: string) {
      const known = groups.find((group) => group.text === text);
      if (known) return known.control;
      const control = makeControl(passages, ({ greeting }) => greeting?.includes(text) ?? false);
      groups.push({ text, control });
      return control;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  });
}

interface Control extends ProxyControl {
  isOpen: boolean;
  held: Side | undefined;
  isSevered: boolean;
  /** In the order in which they came; undefined when nothing is delayed. */
  delayed: (() => void)[] | undefined;
}

function makeControl(passages: ReadonlySet<Passage>, isMeant: (passage: Passage) => boolean): Control {
  const control: Control = {
    ...{ isOpen: true, held: undefined, isSevered: false, delayed: undefined, onChunk: undefined },
    cut() {
      control.held = undefined;
      control.isSevered = false;
      control.delayed = undefined;
      for (const { near, far } of [...passages].filter(isMeant)) {
        near.resetAndDestroy();
        far.resetAndDestroy();
      }
    },
    sever() {
      control.isSevered = true;
      for (const { far } of [...passages].filter(isMeant)) far.resetAndDestroy();
    },
    hold(side) {
      control.held = side;
    },
    delay() {
      control.delayed ??= [];
      return () => {
        const due = control.delayed ?? [];
        control.delayed = undefined;
        for (const act of due) act();
      };
    },
    close() {
      control.isOpen = false;
      control.cut();
    },
    open() {
      control.isOpen = true;
    },
  };
  return control;
}

function later(controls: readonly Control[], act: () => void): void {
  const delaying = controls.find(({ delayed }) => delayed !== undefined);
  if (delaying?.delayed) delaying.delayed.push(act);
  else act();
}
