/**
 * Tells the service manager that the daemon is ready, and notifies its watchdog (sd_notify(3),
 * sd_watchdog_enabled(3)). Does nothing if no service manager started the daemon.
 */
import { type Libc, loadLibc } from '../libc.ts'

export interface ServiceManager {
  /** The daemon is ready. */
  ready(): void
  /**
   * Notifies the watchdog regularly while `lives` returns true. A blocked event loop sends no
   * notifications. The returned function ends it.
   */
  watch(lives: () => boolean): () => void
}

/** Notifications within the watchdog's time. One may be late. */
const NOTIFICATIONS_PER_TIMEOUT = 3

/**
 * Uses the manager's socket: a path or, with `@`, an abstract name. `watchdogMs` is the watchdog's
 * time.
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
      // The daemon runs on without a listening service manager.
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
