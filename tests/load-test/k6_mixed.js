// Sends and pulls mixed: the founding scenario's stages, 20 % sends over 100 chats, and every reply's content checked.
//
//   k6 run tests/load-test/k6_mixed.js
//   k6 run --env BASE_URL=http://localhost:8081 tests/load-test/k6_mixed.js
//
// A message sent must come back as it was sent, and must stand in its place when it is read right after.
import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';

const BASE_URL = __ENV.BASE_URL || 'http://localhost:8080';
const PARAMS = { headers: { 'Content-Type': 'application/json' } };
const CHATS = 100;
const SENDS = 0.2;

export const options = {
  stages: [
    { duration: '30s', target: 50 },
    { duration: '1m', target: 200 },
    { duration: '20s', target: 0 },
  ],
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
  },
};

// A number that no other run has, so that its keys are its own.
export function setup() {
  return { run: `${Date.now().toString(36)}-${Math.floor(Math.random() * 2 ** 32).toString(36)}` };
}

export default function ({ run }) {
  const n = Math.floor(Math.random() * CHATS);
  const users = [`k6-${n}-a`, `k6-${n}-b`];
  const chat = users.join(':');
  if (Math.random() < SENDS) {
    send(run, chat, users);
  } else {
    pull(chat, users);
  }
}

function send(run, chat, users) {
  const key = `${run}-${exec.vu.idInTest}-${exec.vu.iterationInScenario}`;
  const sent = { chat, text: `Hello 👋 from ${key}, "quoted" and \\ all`, sender: users[exec.vu.iterationInScenario % 2], key };
  const reply = http.post(`${BASE_URL}/api/send`, JSON.stringify(sent), PARAMS);
  const stored = reply.status === 200 ? reply.json() : {};
  const right = check(reply, {
    'send: status is 200': (r) => r.status === 200,
    'send: the message as it was sent': () => isSame(stored, sent) && stored.seq > 0 && stored.ts > 0,
  });
  if (!right) {
    return;
  }
  const place = JSON.stringify({ chat, cursor: stored.seq - 1, limit: 1 });
  check(http.post(`${BASE_URL}/api/pull`, place, PARAMS), {
    'send: found in its place right after': (r) => {
      const found = r.status === 200 ? r.json('messages') : [];
      return found.length === 1 && isSame(found[0], sent) && found[0].seq === stored.seq && found[0].ts === stored.ts;
    },
  });
}

function pull(chat, users) {
  const reply = http.request('GET', `${BASE_URL}/api/pull`, JSON.stringify({ chat, reverse: true }), PARAMS);
  check(reply, {
    'pull: status is 200': (r) => r.status === 200,
    'pull: this chat, newest first, no gap, and more where there is more': (r) => r.status === 200 && isPage(r.json(), chat, users),
  });
}

function isSame(message, sent) {
  return ['chat', 'text', 'sender', 'key'].every((field) => message[field] === sent[field]);
}

function isPage(page, chat, users) {
  const { messages } = page;
  const newest = messages.length > 0 ? messages[0].seq : 0;
  const more = newest > 10;
  return (
    messages.length === Math.min(newest, 10) &&
    (page.has_more === true) === more &&
    (page.next_cursor === newest - 10) === more &&
    messages.every((m, i) => m.chat === chat && users.includes(m.sender) && m.text !== '' && m.seq === newest - i)
  );
}
