/**
 * A watchdog resets the machine unless it is fed in time: a device of the kernel
 * (Documentation/watchdog/watchdog-api.rst), or a socket whose other end resets the machine.
 *
 * Whoever holds one may end without disarming it; then it fires. Only `disarm` prevents that.
 */
import { closeSync, openSync, readFileSync, realpathSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import koffi from 'koffi'
import { hasCode } from '../lib/errno.ts'
import { unavailable } from '../model/errors.ts'
import { checked } from './libc.ts'
import { AF_UNIX, unixAddress } from './sockets/unix.ts'

/** What the other end of a watchdog is. */
export type WatchdogKind = 'softdog' | 'watchdog'

export interface Watchdog {
  readonly kind: WatchdogKind
  /** Arms it, if it is not armed. It fires its timeout after the last feeding. */
  feed(): void
  /** It does not fire any more, whoever had armed it. */
  disarm(): void
}

const WDIOC_SETTIMEOUT = 0xc0045706
const MS_PER_S = 1_000
const SOFTDOG = 'Software Watchdog'
/** A byte that feeds a device, and that which has closing disarm it ("magic close"). */
const FEED = Buffer.from('\0')
const LAST = Buffer.from('V')

const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000

/**
 * The watchdog that a setting names: `unix:PATH`, or the path of a device, with its timeout. It is
 * not armed.
 */
export function openWatchdog(place: string, timeoutMs: number): Watchdog {
  if (place.startsWith('unix:')) {
    const path = place.slice('unix:'.length)
    return armedWhileOpen('watchdog', () => connectNow(path))
  }
  return armedWhileOpen(watchdogKind(place), () => openDevice(place, timeoutMs))
}

/** The kind of a device, as sysfs names it. One that it does not name may be software. */
export function watchdogKind(path: string): WatchdogKind {
  const identity = attribute(path, 'identity')
  return identity === null || identity === SOFTDOG ? 'softdog' : 'watchdog'
}

/** Whether a device cannot be disarmed any more (the kernel's CONFIG_WATCHDOG_NOWAYOUT). */
function isForEver(path: string): boolean {
  return attribute(path, 'nowayout') === '1'
}

function attribute(path: string, name: string): string | null {
  try {
    // `/dev/watchdog` is the first one.
    const device = basename(realpathSync(path)).replace(/g$/, 'g0')
    return readFileSync(`/sys/class/watchdog/${device}/${name}`, 'utf8').trim()
  } catch {
    return null
  }
}

function armedWhileOpen(kind: WatchdogKind, open: () => number): Watchdog {
  let fd: number | null = null
  const write = (bytes: Uint8Array) => {
    try {
      if (fd !== null) writeSync(fd, bytes)
    } catch (error) {
      // The other end has feedings that it has not read yet.
      if (!hasCode(error, 'EAGAIN')) throw error
    }
  }
  return {
    kind,
    feed: () => {
      fd ??= open()
      write(FEED)
    },
    disarm: () => {
      fd ??= open()
      const closing = fd
      write(LAST)
      fd = null
      closeSync(closing)
    },
  }
}

/**
 * Connects to a socket. The other end takes each byte as a feeding, has a timeout of its own, and
 * fires when the connection ends without a `V`.
 */
function connectNow(path: string): number {
  const library = koffi.load('libc.so.6')
  const socket = library.func('int socket(int domain, int type, int protocol)')
  const connect = library.func('int connect(int fd, const uint8_t *address, uint32_t length)')
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC
  const fd = checked('socket', socket(AF_UNIX, type, 0))
  try {
    const address = unixAddress(path)
    checked('connect', connect(fd, address, address.length))
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** Opens a device, which arms it. Errors: `unavailable` if it would fire later than that. */
function openDevice(path: string, ms: number): number {
  if (isForEver(path))
    throw unavailable(`${path} cannot be disarmed: load its module with nowayout=0`)
  const ioctl = koffi
    .load('libc.so.6')
    .func('int ioctl(int fd, unsigned long request, _Inout_ uint8_t *argument)')
  const fd = openSync(path, 'w')
  try {
    const seconds = Math.floor(ms / MS_PER_S)
    const timeout = Buffer.from(Int32Array.of(seconds).buffer)
    checked('ioctl', ioctl(fd, WDIOC_SETTIMEOUT, timeout))
    // A device may round up.
    if (timeout.readInt32LE(0) <= seconds) return fd
    throw unavailable(`${path} cannot be set to ${seconds} s or less`)
  } catch (error) {
    writeSync(fd, LAST)
    closeSync(fd)
    throw error
  }
}
