// Lints the OpenAPI documents that it is called with, by Redocly's strict rules: node lint.js FILE...
import { createConfig, formatProblems, getTotals, lint } from '@redocly/openapi-core'

const config = await createConfig({
  extends: ['recommended-strict'],
  rules: {
    'info-license': 'off', // the licence of the server says nothing of who may call it
  },
})
let problems = []
for (const ref of process.argv.slice(2)) {
  problems = problems.concat(await lint({ ref, config }))
}
formatProblems(problems, { totals: getTotals(problems), format: 'stylish', version: '' })
process.exitCode = problems.length > 0 ? 1 : 0
