// What is known of every reactor, kept up to date by the live stream.

import { get } from "./api.js";

export const reactors = new Map();
export const connection = { up: false };
const listeners = new Set();
let source = null;
let looked = ""; // whom alone we listen to, and hear at once; everybody for none
let ahead = 0; // milliseconds that this machine's clock is ahead of the server's
let dirty = new Set();
let asked = null;

/** Tell `call(names)` of changes, once a frame at most; returns what ends that. */
export function listen(call) {
  listeners.add(call);
  return () => listeners.delete(call);
}

/** The server's time, in milliseconds. */
export const now = () => Date.now() - ahead;

/** Seconds since a time of the server's. */
export const since = (iso) => (iso ? (now() - Date.parse(iso)) / 1000 : Infinity);

/** Begin to listen, and keep at it. */
export function begin() {
  if (source) return;
  source = new EventSource(looked ? `/api/stream?reactor=${looked}` : "/api/stream");
  source.addEventListener("open", () => {
    for (const one of reactors.values()) one.live.version = 0; // a server that started again counts anew
  });
  source.addEventListener("time", (event) => {
    ahead = Date.now() - Date.parse(JSON.parse(event.data).now);
    setUp(true);
  });
  source.addEventListener("live", (event) => take(JSON.parse(event.data)));
  source.addEventListener("wired", refresh);
  source.addEventListener("error", () => {
    setUp(false);
    if (source?.readyState === EventSource.CLOSED) {
      end();
      setTimeout(begin, 3000);
    }
  });
}

/** Look at one reactor, whose readings come as they are taken; without a name at everybody again. */
export function look(name = "") {
  if (looked === name) return;
  looked = name;
  if (!source) return;
  end();
  begin();
}

/** Stop listening. */
export function end() {
  source?.close();
  source = null;
}

function setUp(up) {
  if (connection.up === up) return;
  connection.up = up;
  change("");
}

function take(live) {
  const known = reactors.get(live.name);
  if (!known || known.live.version >= live.version) return;
  known.live = live;
  change(live.name);
}

/** Ask how everybody is described; many that change at once are one question. */
export function refresh() {
  asked ??= new Promise((done) => setTimeout(done, 150))
    .then(() => {
      asked = null;
      return get("/reactors");
    })
    .then((all) => {
      for (const one of all) {
        const known = reactors.get(one.name);
        if (known && described(known) === described(one)) {
          take(one.live); // whoever shows it need not build anything anew
          continue;
        }
        if (known && known.live.version > one.live.version) one.live = known.live;
        reactors.set(one.name, one);
        change(one.name);
      }
      change("");
    })
    .catch(() => {});
  return asked;
}

const described = ({ live, ...rest }) => JSON.stringify(rest);

/** Wait until it is known who there is. */
export const ready = () => (reactors.size ? Promise.resolve() : refresh());

function change(name) {
  if (!dirty.size) requestAnimationFrame(tell);
  dirty.add(name);
}

function tell() {
  const names = dirty;
  dirty = new Set();
  for (const call of listeners) call(names);
}
