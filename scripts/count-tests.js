// Names the tests that failed, and sums the reports of test runs into one closing line.
// Usage: count-tests.js <1 if a step failed> <report.json>...
import { readFileSync } from 'node:fs';

const [stepFailed, ...reports] = process.argv.slice(2);
const failures = [];
let passed = 0;
for (const path of reports) {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8'));
    passed += report.numPassedTests;
    failures.push(...report.testResults.flatMap(failuresOf));
    if (report.numPassedTests === 0) failures.push(`${path}: no test passed`);
  } catch (error) {
    failures.push(`${path}: ${error.message}`);
  }
}
// A step also fails of its tests, which are counted already.
if (stepFailed === '1' && failures.length === 0) failures.push('a step, see above');
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;

/** Of a file: its failed tests, or why it could not be run. */
function failuresOf({ name, status, message, assertionResults }) {
  const failed = assertionResults
    .filter((test) => test.status === 'failed')
    .map((test) => `${name}: ${test.fullName}\n${indented(test.failureMessages.join('\n'))}`);
  const isBroken = status === 'failed' && failed.length === 0;
  return isBroken ? [`${name}\n${indented(message)}`] : failed;
}

function indented(text) {
  const lines = text.split('\n').slice(0, 12);
  return lines.map((line) => `    ${line}`).join('\n');
}
