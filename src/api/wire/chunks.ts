/** Writes long responses in pieces, and stops when they exceed their limit. */
import { refused } from '../../model/errors.ts'
import type { Budget } from '../budget.ts'

/** Writes text. Yields after each item of a list: its length, or that of all that is written. */
export type Chunks = Generator<number, string, void>

/**
 * Runs a writer to its end, with a pause when the budget says so. Refuses with `ResponseTooLarge`
 * when an item or the whole exceeds `answerBytes`, before the rest is written.
 */
export async function joinInSlices(chunks: Chunks, budget: Budget): Promise<string> {
  for (;;) {
    const step = chunks.next()
    if (step.done === true) {
      refuseLong(Buffer.byteLength(step.value), budget)
      return step.value
    }
    refuseLong(step.value, budget)
    if (budget.due()) await budget.turn()
  }
}

function refuseLong(length: number, { answerBytes }: Budget): void {
  if (length <= answerBytes) return
  throw refused(
    'ResponseTooLarge',
    `The answer would be longer than ${answerBytes} bytes; ask for fewer items at a time with MaxResults, ids or filters`,
  )
}
