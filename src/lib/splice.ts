/** Connects two streams with each other. */
import type { Duplex } from 'node:stream'

/**
 * Passes everything from each stream to the other one. The end of one ends the other one when all
 * is passed on; the failure of one ends both at once. Returns at once.
 */
export function splice(one: Duplex, other: Duplex): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to)
    from.on('error', () => to.destroy())
    from.on('close', () => (from.readableEnded ? to.end() : to.destroy()))
  }
}
