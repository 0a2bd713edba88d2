// The founding load test: 30 s up to 50 virtual users, 1 minute up to 200, 20 s down to 0, each pulling without a pause.
//
//   k6 run tests/load-test/k6_test.js
//
// SERVER names another server than the one that `docker compose up` or `chinwag` starts.
import http from "k6/http";
import { check } from "k6";

const SERVER = __ENV.SERVER || "http://localhost:8080";

export const options = {
  stages: [
    { duration: "30s", target: 50 },
    { duration: "1m", target: 200 },
    { duration: "20s", target: 0 },
  ],
  // A request that fails, or a reply that is not 200, fails the run.
  thresholds: { http_req_failed: ["rate==0"], checks: ["rate==1"] },
};

const PULL = JSON.stringify({ chat: "apple:banana", reverse: true });
const PARAMS = { headers: { "Content-Type": "application/json" } };

export default function () {
  // http.get can't carry a body, and the founding document's pull has one.
  const reply = http.request("GET", `${SERVER}/api/pull`, PULL, PARAMS);
  check(reply, { "status is 200": (r) => r.status === 200 });
}
