/**
 * Notifies the service manager that the daemon is ready, and feeds its watchdog (sd_notify(3),
 * sd_watchdog_enabled(3)). Does nothing if the daemon was not started by a service manager.
 */
import { type Libc, loadLibc } from '../libc.ts'

export interface ServiceManager {
  /** The daemon does its work from now on. */
  ready(): void
  /**
   * Tells from now on, often enough, that it lives, for as long as `lives` says so. A loop that
   * stands still tells nothing. Gives what ends it.
   */
  watch(lives: () => boolean): () => void
}

/** How many times a watchdog is told within its time: one may be late. */
const NOTIFICATIONS_PER_TIMEOUT = 3

/**
 * Speaks to the manager's socket, a path or, with `@`, an abstract name; `watchdogMs` is when it
 * gives the daemon up.
 */
export function createServiceManager(options: {
  readonly socket: string | undefined
  readonly watchdogMs: number | undefined
  readonly libc?: Pick<Libc, 'sendToPath'>
}): ServiceManager {
  const { socket, watchdogMs } = options
  if (socket === undefined) return { ready: () => undefined, watch: () => () => undefined }
  const libc = options.libc ?? loadLibc()
  const tell = (state: string): void => {
    try {
      libc.sendToPath(socket, Buffer.from(state))
    } catch {
      // The daemon goes on without a service manager that listens.
    }
  }
  return {
    ready: () => tell('READY=1'),
    watch(lives) {
      if (watchdogMs === undefined) return () => undefined
      const timer = setInterval(() => {
        if (lives()) tell('WATCHDOG=1')
      }, watchdogMs / NOTIFICATIONS_PER_TIMEOUT)
      timer.unref()
      return () => clearInterval(timer)
    },
  }
}
