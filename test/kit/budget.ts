/** The budget of a request in a test: as large as the HTTP API gives. */
import { type Budget, createBudget } from '../../src/api/budget.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createTurns } from '../../src/lib/turns.ts'

export function newBudget(): Budget {
  return createBudget(
    { turns: createTurns(), clock: systemClock },
    { pageItems: 1000, answerBytes: 16 * 1024 * 1024 },
    'test',
  )
}
