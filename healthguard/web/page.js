// Keeps the page true. What the server sends is data, [tag, {attributes}, [children]]; it becomes
// elements and texts here, never markup. Existing elements are changed in place, so that open
// details, the selection and the focus of the reader stay.
"use strict";

const STALE_MS = 15_000; // the server gives a sign of life every five seconds
const live = document.getElementById("live");
let ahead = 0; // the server's clock minus ours
let heard = 0; // when we last heard of it; 0: never
let news = null; // the server's time of what is shown

function make(node) {
  if (typeof node === "string") return document.createTextNode(node);
  const made = document.createElement(node[0]);
  for (const [name, value] of Object.entries(node[1])) made.setAttribute(name, value);
  made.append(...node[2].map(make));
  if (node[0] === "time") tick(made);
  return made;
}

function same(old, node) {
  if (typeof node === "string") return old.nodeType === Node.TEXT_NODE;
  return old.localName === node[0] && (old.id || "") === (node[1].id || "");
}

function patch(old, node) {
  if (!same(old, node)) {
    old.replaceWith(make(node));
  } else if (typeof node === "string") {
    if (old.data !== node) old.data = node;
  } else {
    attributes(old, node[1]);
    if (node[0] === "time") tick(old);
    else children(old, node[2]);
  }
}

function attributes(old, wanted) {
  for (const { name } of [...old.attributes]) {
    if (!(name in wanted) && name !== "open") old.removeAttribute(name);
  }
  for (const [name, value] of Object.entries(wanted)) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function children(old, nodes) {
  while (old.childNodes.length > nodes.length) old.lastChild.remove();
  nodes.forEach((node, place) => {
    if (place < old.childNodes.length) patch(old.childNodes[place], node);
    else old.append(make(node));
  });
}

// ------------------------------------------------------------------ times

function length(ms) {
  let left = Math.max(0, Math.round(ms / 1000));
  const parts = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]]) {
    const count = Math.floor(left / size);
    left %= size;
    if (count || parts.length || unit === "s") parts.push(count + unit);
  }
  return parts.slice(0, 2).join(" ");
}

function clock(at, now) {
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  if (at.toDateString() === now.toDateString()) return time;
  return at.toLocaleDateString([], { day: "2-digit", month: "short" }) + " " + time;
}

function tick(element) {
  const at = new Date(element.dateTime);
  const now = new Date(Date.now() + ahead);
  const show = {
    ago: () => length(now - at) + " ago",
    for: () => "for " + length(now - at),
    left: () => (at > now ? length(at - now) + " left" : "ends now"),
    clock: () => clock(at, now),
  }[element.dataset.show];
  const text = show();
  if (element.textContent !== text) element.textContent = text;
}

// ------------------------------------------------------------------ the stream

function apply(state) {
  ahead = state.at - Date.now();
  news = new Date(state.at);
  document.title = state.title;
  document.getElementById("icon").href = `/page/${state.level}.svg`;
  const pools = document.getElementById("pools");
  for (const old of [...pools.children]) if (!state.pools.includes(old.id)) old.remove();
  for (const [id, node] of Object.entries(state.parts)) {
    const old = document.getElementById(id);
    if (old) patch(old, node);
    else if (state.pools.includes(id)) pools.append(make(node));
  }
  state.pools.forEach((id, place) => {
    const card = document.getElementById(id);
    if (card && pools.children[place] !== card) pools.insertBefore(card, pools.children[place]);
  });
}

let stream = null;
function connect() {
  stream = new EventSource("/events");
  const hear = () => { heard = Date.now(); };
  stream.onmessage = (message) => { hear(); apply(JSON.parse(message.data)); judge(); };
  stream.addEventListener("beat", () => { hear(); judge(); });
  stream.onerror = () => {
    judge();
    if (stream.readyState !== EventSource.CLOSED) return; // it tries again by itself
    setTimeout(connect, 5_000);
  };
}

// A dead page must look dead: the worst it could do is to show a quiet past.
function judge() {
  const age = Date.now() - heard;
  const lost = heard ? age > STALE_MS : performance.now() > STALE_MS;
  let words = "connecting";
  if (lost) words = news ? `NOT LIVE: no update for ${length(age)}` : "NOT LIVE: no connection";
  else if (heard) words = "live, " + clock(new Date(Date.now() + ahead), new Date(Date.now() + ahead));
  if (live.textContent !== words) live.textContent = words;
  const kind = lost ? "off" : heard ? "on" : "";
  if (live.className !== kind) live.className = kind;
  live.setAttribute("aria-live", lost ? "assertive" : "off");
  document.body.classList.toggle("stale", lost);
}

setInterval(() => { document.querySelectorAll("main time").forEach(tick); judge(); }, 1_000);
document.querySelectorAll("main time").forEach(tick);
judge();
connect();
addEventListener("pagehide", () => stream.close());
addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
