/** Units of memory and disk in bytes (IEC 80000-13), and their display. Pure. */

/** A kibibyte. */
export const KIB = 1024
/** A mebibyte. */
export const MIB = 1024 ** 2
/** A gibibyte. */
export const GIB = 1024 ** 3

/** An amount for people, in whole MiB, rounded up. */
export function mib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`
}
