// The stages of k6_test.js with sends among the pulls: 20 % sends over 100 chats, and a look at what every reply says.
//
//   k6 run tests/load-test/k6_mixed.js
//
// SERVER names another server than the one that `docker compose up` or `chinwag` starts.
import http from "k6/http";
import exec from "k6/execution";
import { check } from "k6";

const SERVER = __ENV.SERVER || "http://localhost:8080";
const CHATS = 100;
const SENDS = 0.2;
const PAGE = 10;

export const options = {
  stages: [
    { duration: "30s", target: 50 },
    { duration: "1m", target: 200 },
    { duration: "20s", target: 0 },
  ],
  thresholds: { http_req_failed: ["rate==0"], checks: ["rate==1"] },
};

const PARAMS = { headers: { "Content-Type": "application/json" } };

// Made once, so that keys of one run never meet those of another.
export function setup() {
  return { run: `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}` };
}

// The last message that this virtual user had acknowledged in each chat: a later pull must reach at least as far.
const acknowledged = {};

function parsed(reply) {
  try {
    return JSON.parse(reply.body);
  } catch {
    return null;
  }
}

function send(chat, run) {
  const [left, right] = chat.split(":");
  const sender = Math.random() < 0.5 ? left : right;
  const key = `${run}-${exec.vu.idInTest}-${exec.vu.iterationInInstance}`;
  const text = `${key} says "grüß Gott" 👋 to ${chat}`;
  const reply = http.post(`${SERVER}/api/send`, JSON.stringify({ chat, text, sender, key }), PARAMS);
  const message = parsed(reply);
  const good = check(reply, {
    "send: status is 200": (r) => r.status === 200,
    "send: the reply is the message": () =>
      message !== null &&
      message.chat === chat &&
      message.text === text &&
      message.sender === sender &&
      message.key === key,
    "send: it has a place and a time": () =>
      message !== null &&
      Number.isSafeInteger(message.seq) &&
      message.seq > (acknowledged[chat] || 0) &&
      Number.isSafeInteger(message.ts) &&
      message.send_time === Math.floor(message.ts / 1e6),
  });
  if (good) acknowledged[chat] = message.seq;
}

function isNewestPage(page, chat, least) {
  if (page === null || !Array.isArray(page.messages) || page.messages.length > PAGE) return false;
  const [left, right] = chat.split(":");
  const { messages } = page;
  const whole = messages.every(
    (m, i) =>
      m.chat === chat &&
      (m.sender === left || m.sender === right) &&
      typeof m.text === "string" &&
      m.text !== "" &&
      // Newest first, none left out, times falling with the places.
      (i === 0 || (m.seq === messages[i - 1].seq - 1 && m.ts < messages[i - 1].ts)),
  );
  if (!whole) return false;
  if (messages.length === 0) return least === 0 && page.has_more === undefined && page.next_cursor === undefined;
  const oldest = messages[messages.length - 1].seq;
  const goesOn =
    oldest > 1
      ? messages.length === PAGE && page.has_more === true && page.next_cursor === oldest - 1
      : page.has_more === undefined && page.next_cursor === undefined;
  return goesOn && messages[0].seq >= least;
}

function pull(chat) {
  const least = acknowledged[chat] || 0;
  const body = JSON.stringify({ chat, reverse: true });
  const reply = http.request("GET", `${SERVER}/api/pull`, body, PARAMS);
  check(reply, {
    "pull: status is 200": (r) => r.status === 200,
    "pull: the newest of the chat, none left out": (r) => isNewestPage(parsed(r), chat, least),
  });
}

export default function ({ run }) {
  const index = Math.floor(Math.random() * CHATS);
  const chat = `k6left${index}:k6right${index}`;
  if (Math.random() < SENDS) send(chat, run);
  else pull(chat);
}
