/**
 * Randomness as an argument, so that tests and simulations can control it.
 *
 * Code outside `lib/` gets a function: `() => number`, from 0 up to 1, to spread work; or
 * `(bytes) => Uint8Array` for what nobody may guess. `test/tidy.test.ts` lists the exceptions.
 */
import { randomBytes, randomUUID } from 'node:crypto'

/** A number from 0 up to 1. It can be guessed. */
export function systemRandom(): number {
  return Math.random()
}

/** Cryptographically random bytes. */
export function systemRandomBytes(bytes: number): Uint8Array {
  return randomBytes(bytes)
}

/** A UUID of version 4. */
export function systemUuid(): string {
  return randomUUID()
}
