/**
 * The clock that failover goes by: CLOCK_BOOTTIME (clock_gettime(2)), which no step of the time of
 * day moves, which counts a suspend, and which is the same in every process of the machine.
 */
import { readFileSync } from 'node:fs'
import koffi from 'koffi'
import { checked } from './libc.ts'

const CLOCK_BOOTTIME = 7
const TIMESPEC_BYTES = 16
const MS_PER_S = 1_000
const NS_PER_MS = 1_000_000

/** Returns the milliseconds since the machine has started. */
export function loadBootClock(): () => number {
  const gettime = koffi
    .load('libc.so.6')
    .func('int clock_gettime(int clock, _Out_ uint8_t *result)')
  const result = Buffer.alloc(TIMESPEC_BYTES)
  return () => {
    checked('clock_gettime', gettime(CLOCK_BOOTTIME, result))
    return (
      Number(result.readBigInt64LE(0)) * MS_PER_S + Number(result.readBigInt64LE(8)) / NS_PER_MS
    )
  }
}

/** Names this start of the machine (random(4)). */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}
