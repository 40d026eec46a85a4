/** Chance, from random bytes. */

/** A number from 0 up to 1. */
export function chance(random: (bytes: number) => Uint8Array): number {
  return Buffer.from(random(4)).readUInt32BE() / 2 ** 32
}
