/** What a terminal is to those who attach to it and to those who have one to give. */
import type { Readable, Writable } from 'node:stream'

/** What whoever attaches has in front of them. */
export interface Screen {
  /** As in TERM: `xterm-256color`. */
  readonly term: string
  readonly columns: number
  readonly rows: number
}

/** How a terminal ended. */
export interface TerminalEnd {
  /** Of a program that ended by itself; null when something else ended the terminal. */
  readonly exitCode: number | null
  /** In words, for whoever was attached. */
  readonly reason: string
}

/** A terminal that somebody is attached to. */
export interface Terminal {
  /**
   * `shell`: a program of its own, which ends with the attachment; `serial`: a line that others may
   * be at, too.
   */
  readonly kind: 'shell' | 'serial'
  /** What it shows; ends when the terminal does. */
  readonly output: Readable
  /**
   * What is typed; ending it says that nothing more will be. It may break at any time: that says
   * nothing which `output` does not.
   */
  readonly input: Writable
  /** Does nothing where size has no meaning, or when the terminal has ended. */
  resize(columns: number, rows: number): Promise<void>
  /** How it ended; to be asked once `output` has ended. */
  end(): Promise<TerminalEnd>
  /** Lets go. A program of its own is ended. May be repeated; never fails. */
  close(): Promise<void>
}
