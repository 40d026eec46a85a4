/**
 * A process between QEMU and the daemon, for one serial line with clients. It reads the machine's
 * output even when the daemon is stopped (by a debugger, or a frozen control group), so that the
 * guest does not stop. Output that the daemon does not read in time is dropped.
 *
 * `node serial-relay.ts PATH`; descriptor 3 is the daemon's end. Over its IPC channel it reports
 * that it is connected. Exit codes: `RELAY_EXIT`.
 */
import { createConnection, Socket } from 'node:net'
import { hasCode } from '../lib/errno.ts'
import { KIB } from '../model/sizes.ts'
import { RELAY_EXIT } from './relay-exit.ts'

/**
 * Output that is kept for a busy daemon. Then the machine waits for the daemon, but not for longer
 * than this.
 */
const BACKLOG_LIMIT_BYTES = 256 * KIB
const WAIT_MS = 1_000
/** Errors of a socket whose process has ended or never existed. */
const NOBODY = ['ECONNREFUSED', 'ENOENT']

/** Forwards data until either side is closed, which ends the process. */
function relay(path: string): void {
  const daemon = new Socket({ fd: 3, readable: true, writable: true })
  const line = createConnection(path)
  let missedBytes = 0
  /** Set while the machine waits for the daemon. */
  let patience: NodeJS.Timeout | null = null
  let isStalled = false

  line.once('connect', () => process.send?.('connected'))
  line.on('data', (bytes: Buffer) => {
    if (isStalled) {
      missedBytes += bytes.length
      return
    }
    daemon.write(bytes)
    if (daemon.writableLength <= BACKLOG_LIMIT_BYTES) return
    line.pause()
    patience ??= setTimeout(() => {
      isStalled = true
      line.resume()
    }, WAIT_MS)
  })
  daemon.on('drain', () => {
    if (patience !== null) clearTimeout(patience)
    patience = null
    isStalled = false
    if (missedBytes > 0)
      daemon.write(`\r\n[atoll: ${missedBytes} bytes came while nobody read and are not shown]\r\n`)
    missedBytes = 0
    line.resume()
  })
  line.on('error', (error) =>
    process.exit(hasCode(error, ...NOBODY) ? RELAY_EXIT.nobody : RELAY_EXIT.broken),
  )
  line.on('close', () => daemon.end(() => process.exit(0)))
  daemon.on('data', (bytes: Buffer) => line.write(bytes))
  // The daemon has closed its end, or is gone.
  for (const event of ['end', 'close', 'error']) daemon.on(event, () => process.exit(0))
}

relay(process.argv[2] ?? '')
