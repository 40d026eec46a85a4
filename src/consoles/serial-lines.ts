/**
 * The serial lines of virtual machines. All clients of a line share it.
 *
 * QEMU serves one client of a line, and lets others wait without a message. So the daemon is that
 * client while anybody is attached. All clients see the same output and may type, as with `screen
 * -x`. A guest never waits for a client: one that reads too slowly misses output, and is told so. A
 * guest does not wait for the daemon either, because a separate process is in between
 * (`serial-relay.ts`).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { extname } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { below } from '../lib/paths.ts'
import { beExpendable } from '../lib/runner.ts'
import type { Terminal } from '../lib/terminal.ts'
import { bug, unavailable } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import { KIB } from '../model/sizes.ts'
import { notRunning } from '../workloads/driver.ts'
import { RELAY_EXIT } from './relay-exit.ts'

/** Output that is kept for a client that does not read. */
const BACKLOG_LIMIT_BYTES = 256 * KIB
/** A client whose input has ended is detached when the line has been silent for this long. */
const QUIET_MS = 3_000
/** A process must start first, perhaps on a busy host. */
const CONNECT_DEADLINE_MS = 15_000
/** Next to this file, and JavaScript where this file is (`bin/stripped.sh`). */
const RELAY = below(import.meta.dirname, `serial-relay${extname(import.meta.filename)}`)

/** All lines of a host. */
export interface SerialLines {
  /**
   * Attaches to the line with its socket at `path`. Errors: `refused` when its machine does not
   * run, `unavailable`.
   */
  attach(instance: InstanceId, path: string): Promise<Terminal>
  /** Detaches from all lines. Machines go on. */
  close(): void
}

/** An attached client. */
interface Client {
  hear(bytes: Buffer): void
  /** The line has ended. */
  end(reason: string): void
}

interface Line {
  readonly socket: Socket
  readonly clients: Set<Client>
  /** Removes the line, so that nobody can attach to it any more. */
  readonly forget: () => void
}

/** No client is attached at first. */
export function createSerialLines({ quietMs = QUIET_MS } = {}): SerialLines {
  const lines = new Map<InstanceId, Promise<Line>>()

  function open(instance: InstanceId, path: string): Promise<Line> {
    // The next client opens it again.
    const forget = () => {
      if (lines.get(instance) === opening) lines.delete(instance)
    }
    const opening = connect(instance, path, forget)
    opening.catch(forget)
    lines.set(instance, opening)
    return opening
  }

  return {
    async attach(instance, path) {
      const line = await (lines.get(instance) ?? open(instance, path))
      if (line.socket.destroyed) throw notRunning(instance)
      return attachTo(line, quietMs)
    },
    close() {
      for (const opening of lines.values())
        opening.then(({ socket }) => socket.destroy()).catch(() => undefined)
    },
  }
}

async function connect(instance: InstanceId, path: string, forget: () => void): Promise<Line> {
  const { relay, socket } = startRelay(path)
  try {
    await isConnected(relay)
  } catch (error) {
    relay.kill('SIGKILL')
    socket.destroy()
    if (relay.exitCode === RELAY_EXIT.nobody) throw notRunning(instance)
    throw unavailable(`no serial line answers at ${path}`, error)
  }
  const clients = new Set<Client>()
  socket.on('data', (bytes: Buffer) => {
    for (const client of clients) client.hear(bytes)
  })
  // The `close` event that follows is handled.
  socket.on('error', () => undefined)
  socket.once('close', () => {
    forget()
    for (const client of clients) client.end('the virtual machine has stopped')
  })
  return { socket, clients, forget }
}

/** The relay process, and our end of its connection. The process ends when that is closed. */
function startRelay(path: string): { readonly relay: ChildProcess; readonly socket: Socket } {
  const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'ipc'] as const
  // In its own session, so that a signal from the daemon's terminal does not stop it.
  const options = { stdio: [...stdio], detached: true, cwd: '/', env: {} }
  const relay = spawn(process.execPath, [RELAY, path], options)
  if (relay.pid !== undefined) beExpendable(relay.pid)
  const socket = relay.stdio[3]
  if (!(socket instanceof Socket)) throw bug('a relay without a way to it')
  return { relay, socket }
}

/** Errors: Node's, when the process ends before or takes too long. */
async function isConnected(relay: ChildProcess): Promise<void> {
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(), CONNECT_DEADLINE_MS)
  try {
    const ended = once(relay, 'exit', { signal: deadline.signal }).then(() => {
      throw unavailable('the relay of a serial line ended')
    })
    await Promise.race([once(relay, 'message', { signal: deadline.signal }), ended])
    // Its IPC channel would keep this process alive.
    relay.disconnect()
    relay.unref()
  } finally {
    clearTimeout(timer)
    deadline.abort()
  }
}

function attachTo({ socket, clients, forget }: Line, quietMs: number): Terminal {
  let reason = 'detached'
  let missedBytes = 0
  let quiet: NodeJS.Timeout | null = null
  const output = new Readable({
    read() {
      if (missedBytes === 0) return
      const note = `\r\n[atoll: ${missedBytes} bytes came too fast and are not shown]\r\n`
      missedBytes = 0
      this.push(note)
    },
  })
  const client: Client = {
    hear(bytes) {
      quiet?.refresh()
      if (output.readableLength + bytes.length > BACKLOG_LIMIT_BYTES || missedBytes > 0)
        missedBytes += bytes.length
      else output.push(bytes)
    },
    end(why) {
      reason = why
      leave()
      output.push(null)
    },
  }
  const leave = () => {
    if (quiet !== null) clearTimeout(quiet)
    if (!clients.delete(client) || clients.size > 0) return
    forget()
    socket.destroy()
  }
  const input = new Writable({
    // One piece in each direction is under way at a time. `output` reports a broken line.
    write: (bytes: Buffer, _encoding, done) => void socket.write(bytes, () => done()),
    final(done) {
      quiet = setTimeout(() => client.end('the input has ended, and the line is silent'), quietMs)
      done()
    },
  })
  clients.add(client)
  return {
    kind: 'serial',
    output,
    input,
    // A serial line has no size.
    resize: async () => undefined,
    end: async () => ({ exitCode: null, reason }),
    async close() {
      leave()
      input.destroy()
      output.destroy()
    },
  }
}
