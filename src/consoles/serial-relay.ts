/**
 * One process for one serial line to which somebody is attached, between QEMU and the daemon: what
 * a machine says is read whatever the daemon does, so that a daemon that is stopped (a debugger, a
 * frozen control group) does not stop a guest. What the daemon does not take in time is dropped.
 *
 * `node serial-relay.ts PATH`; descriptor 3 is the daemon's end. Over its IPC channel it says that
 * it is connected. Exit codes: `RELAY_EXIT`.
 */
import { createConnection, Socket } from 'node:net'
import { hasCode } from '../lib/errno.ts'
import { KIB } from '../model/sizes.ts'
import { RELAY_EXIT } from './relay-exit.ts'

/**
 * What is kept for a daemon that is busy. Then the machine waits for it, but not for longer than
 * this.
 */
const BACKLOG_LIMIT_BYTES = 256 * KIB
const PATIENCE_MS = 1_000
/** What a socket answers whose process has ended, or never was. */
const NOBODY = ['ECONNREFUSED', 'ENOENT']

/** Hands on until either side is gone, which ends the process. */
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
    }, PATIENCE_MS)
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
  // The daemon has let go of the line, or is gone.
  for (const event of ['end', 'close', 'error']) daemon.on(event, () => process.exit(0))
}

relay(process.argv[2] ?? '')
