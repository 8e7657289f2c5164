/** Prints "listening" once it does on every `HOST:PORT` of its arguments; for `node -e`. */
export const LISTENER = `
const net = require("node:net");
const listen = (address) => new Promise((resolve, reject) => {
  const [, host, port] = /^(.+):(\\d+)$/.exec(address);
  net.createServer((socket) => socket.on("error", () => {}).end()).on("error", reject).listen({ host, port }, resolve);
});
Promise.all(process.argv.slice(1).map(listen)).then(() => console.log("listening"));
`;

/** Prints a JSON list of those of its arguments, `HOST:PORT`, that it could not connect to; for `node -e`. */
export const PROBE = `
const net = require("node:net");
const isOpen = (address) => new Promise((resolve) => {
  const [, host, port] = /^(.+):(\\d+)$/.exec(address);
  const socket = net.connect({ host, port, timeout: 3000 });
  const end = (answer) => () => { socket.destroy(); resolve(answer); };
  socket.on("connect", end(true)).on("error", end(false)).on("timeout", end(false));
});
const addresses = process.argv.slice(1);
Promise.all(addresses.map(isOpen)).then((open) => console.log(JSON.stringify(addresses.filter((_, index) => !open[index]))));
`;
