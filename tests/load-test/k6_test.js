// The founding scenario: up to 200 virtual users pull one chat's newest messages, without pause, for 1 min 50 s.
//
//   k6 run tests/load-test/k6_test.js
//   k6 run --env BASE_URL=http://localhost:8081 tests/load-test/k6_test.js
//
// The chat is given messages first, and each reply is looked at, not only its status: an empty page, or a wrong one,
// counts as failed.
import { check } from 'k6';
import http from 'k6/http';

const BASE_URL = __ENV.BASE_URL || 'http://localhost:8080';
const PARAMS = { headers: { 'Content-Type': 'application/json' } };
const PULL = JSON.stringify({ chat: 'apple:banana', reverse: true });
const PAGE_MESSAGES = 10;

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

export function setup() {
  for (let i = 1; i <= PAGE_MESSAGES; i += 1) {
    const message = { chat: 'apple:banana', text: `Hello how are you? (${i})`, sender: 'apple' };
    const reply = http.post(`${BASE_URL}/api/send`, JSON.stringify(message), PARAMS);
    if (reply.status !== 200) {
      throw new Error(`the server at ${BASE_URL} does not take a message: ${reply.status} ${reply.body}`);
    }
  }
}

export default function () {
  const reply = http.request('GET', `${BASE_URL}/api/pull`, PULL, PARAMS);
  check(reply, {
    'status is 200': (r) => r.status === 200,
    'the newest 10, newest first': (r) => r.status === 200 && isNewestFirst(r.json('messages')),
  });
}

function isNewestFirst(messages) {
  return (
    Array.isArray(messages) &&
    messages.length === PAGE_MESSAGES &&
    messages.every((m, i) => m.chat === 'apple:banana' && m.seq === messages[0].seq - i)
  );
}
