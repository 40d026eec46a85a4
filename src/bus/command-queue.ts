/**
 * The port to the queue of commands: clients publish commands on the bus, and any host takes the
 * next one.
 *
 * Only a bus that clients can reach has this queue. `api/commands` decides what a command means and
 * who may send it.
 */
import { KIB, MIB } from '../model/sizes.ts'

/** Longest command in bytes. User data of 16 KiB fits many times. */
export const COMMAND_LIMIT_BYTES = 256 * KIB
/**
 * Longest answer in bytes. Brokers are configured to accept no longer message (`max_message_size`),
 * and end the connection that sends one.
 */
export const ANSWER_LIMIT_BYTES = MIB

/** A command as a client sent it, unchecked. */
export interface CommandMessage {
  readonly body: Uint8Array
  /** Headers by name, as the client set them. Their values may have any type. */
  readonly headers: Readonly<Record<string, unknown>>
  /** The queue for the answer. Null when nobody waits for it. */
  readonly replyTo: string | null
  readonly correlationId: string | null
  /** How often it was delivered before. */
  readonly deliveries: number
}

/**
 * `answer` (JSON text) is sent to the waiting client, if there is one. `again` gives the command to
 * another host, or to this one later.
 */
export type CommandOutcome =
  | { readonly kind: 'answer'; readonly answer: string }
  | { readonly kind: 'again'; readonly afterMs: number }

export interface CommandQueue {
  /**
   * Passes commands to `handle`, a few at a time, and acknowledges each when it has been handled
   * and answered. If this host dies before, another host gets the command. `handle` must not
   * reject. The returned function takes no more commands, and waits for those under way. There is
   * one handler at a time.
   */
  onCommand(handle: (message: CommandMessage) => Promise<CommandOutcome>): () => Promise<void>
}
