// Sums the reports of test runs into one closing line.
// Usage: count-tests.js <1 if a step failed> <report.json>...
import { readFileSync } from 'node:fs';

const [stepFailed, ...reports] = process.argv.slice(2);
let passed = 0;
let failed = stepFailed === '1' ? 1 : 0;
for (const path of reports) {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8'));
    passed += report.numPassedTests;
    failed += report.numFailedTests + report.numFailedTestSuites;
    if (report.numPassedTests === 0) throw new Error('it ran no test');
  } catch (error) {
    failed += 1;
    console.log(`${path}: ${error.message}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
