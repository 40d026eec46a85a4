/**
 * The port to the queue of commands: clients put commands on the bus, and any host takes the next
 * one.
 *
 * Only a bus that clients can reach has one. `api/commands` decides what a command means and who
 * may give it.
 */

/** A command as a client sent it; nothing in it has been checked. */
export interface CommandMessage {
  readonly body: Uint8Array
  /** By name, as the client set them; values are of any type. */
  readonly headers: Readonly<Record<string, unknown>>
  /** The queue that waits for the answer; null when nobody does. */
  readonly replyTo: string | null
  readonly correlationId: string | null
  /** How often it was handed out before. */
  readonly deliveries: number
}

/**
 * `answer` (JSON text) is sent to who waits, if anybody does; `again` gives the command to another
 * host, or to this one later.
 */
export type CommandOutcome =
  | { readonly kind: 'answer'; readonly answer: string }
  | { readonly kind: 'again'; readonly afterMs: number }

export interface CommandQueue {
  /**
   * Hands commands to `handle`, a few at a time, and takes each off the queue when it has been
   * handled and answered: when this host dies before, another gets it. `handle` must not reject.
   * The returned function takes no more and waits for those being handled.
   */
  onCommand(handle: (message: CommandMessage) => Promise<CommandOutcome>): () => Promise<void>
}
