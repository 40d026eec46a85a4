/**
 * Writes log lines to a descriptor, which may be a file on a full or hung disk, a pipe that nobody
 * reads, or a stopped terminal.
 *
 * Logging never waits and never fails. Lines are queued and written one batch at a time, so a hung
 * disk holds at most one thread of the pool. The queue is bounded; lines beyond it are dropped and
 * counted.
 */
import { write, writeSync } from 'node:fs'
import { MIB } from '../model/sizes.ts'

export interface LogSink {
  /** Takes a line with its line feed at the end. */
  write(line: string): void
  /** Calls `told` with the number of lines whenever lines are dropped. */
  onDropped(told: (lines: number) => void): void
  /** Calls `told` with the number of lost lines when lines can be written again. */
  onRecovered(told: (lost: number) => void): void
  /** Writes waiting lines, as far as possible without waiting. For the end of the process. */
  flush(): void
}

/** Maximum length of waiting text, in characters. */
const WAITING_LIMIT = MIB
/** Maximum number of lines in one write. */
const BATCH_LINES = 256
/** Pause between two writes. Each occupies a thread, and takes as long as a small request. */
const BATCH_MS = 10
/** Pause after the reader could take no more. */
const RETRY_MS = 50

interface Batch {
  readonly lines: number
  bytes: Buffer
}

/** A sink for a descriptor, which it does not close. */
export function createLogSink(fd: number): LogSink {
  openQuietly(fd)
  let waiting: string[] = []
  let waitingLength = 0
  let writing = false
  let lost = 0
  let torn = false
  let tellDropped: (lines: number) => void = () => undefined
  let tellRecovered: (lost: number) => void = () => undefined

  function lose(lines: number): void {
    lost += lines
    tellDropped(lines)
  }

  function takeBatch(): Batch {
    const lines = waiting.slice(0, BATCH_LINES)
    waiting = waiting.slice(BATCH_LINES)
    const text = lines.join('')
    waitingLength -= text.length
    // The rest of a line that a full disk cut off is lost. The next line begins on a new line.
    return { lines: lines.length, bytes: Buffer.from(torn ? `\n${text}` : text) }
  }

  function next(): void {
    if (waiting.length === 0) {
      writing = false
      return
    }
    writing = true
    put(takeBatch())
  }

  /** Lines that come meanwhile are written together. */
  function nextSoon(): void {
    setTimeout(next, BATCH_MS).unref()
  }

  function put(batch: Batch): void {
    write(fd, batch.bytes, (error, written) => {
      if (error === null && written < batch.bytes.length) {
        batch.bytes = batch.bytes.subarray(written)
        torn = written > 0 || torn
        return put(batch)
      }
      if (error?.code === 'EAGAIN') {
        setTimeout(put, RETRY_MS, batch).unref()
        return
      }
      if (error === null) {
        torn = false
        recover()
      } else lose(batch.lines)
      nextSoon()
    })
  }

  function recover(): void {
    if (lost === 0) return
    const count = lost
    lost = 0
    tellRecovered(count)
  }

  return {
    write(line) {
      if (waitingLength + line.length > WAITING_LIMIT) return lose(1)
      waiting.push(line)
      waitingLength += line.length
      if (!writing) next()
    },
    onDropped(told) {
      tellDropped = told
    },
    onRecovered(told) {
      tellRecovered = told
    },
    flush() {
      try {
        while (waiting.length > 0) writeSync(fd, takeBatch().bytes)
      } catch {
        // Nobody can be told.
      }
    },
  }
}

/**
 * Node's stream for stderr makes pipes and sockets block no more: they return `EAGAIN`. Node's
 * warnings go through it, so its errors must not end the process.
 */
function openQuietly(fd: number): void {
  if (fd === process.stderr.fd) process.stderr.on('error', () => undefined)
}
