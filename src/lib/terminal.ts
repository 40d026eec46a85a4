/** The interface of terminals, for those who attach to one and those who provide one. */
import type { Readable, Writable } from 'node:stream'

/** The screen of an attached user. */
export interface Screen {
  /** The value of TERM, such as `xterm-256color`. */
  readonly term: string
  readonly columns: number
  readonly rows: number
}

/** How a terminal ended. */
export interface TerminalEnd {
  /** Exit code of a program that ended by itself. Null when something else ended the terminal. */
  readonly exitCode: number | null
  /** In words, for the attached user. */
  readonly reason: string
}

/** A terminal with an attached user. */
export interface Terminal {
  /**
   * `shell`: a program that ends when the user detaches. `serial`: a line that others may use as
   * well.
   */
  readonly kind: 'shell' | 'serial'
  /** The terminal's output. It ends when the terminal ends. */
  readonly output: Readable
  /**
   * The terminal's input. Ending it says that there is no more. It may fail at any time; `output`
   * tells the reason.
   */
  readonly input: Writable
  /** Does nothing for a terminal without a size, or after its end. */
  resize(columns: number, rows: number): Promise<void>
  /** How it ended. Call it once `output` has ended. */
  end(): Promise<TerminalEnd>
  /** Detaches, and ends a shell. May be repeated. Never fails. */
  close(): Promise<void>
}
